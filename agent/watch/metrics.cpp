#include "agent/watch/metrics.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <prometheus/client_metric.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <limits>
#include <mutex>
#include <stop_token>
#include <thread>

#include "core/api/watch.h"
#include "core/base/log.h"

namespace ote::agent {
namespace {

prometheus::ClientMetric MetricOf(const MetricLabels& labels) {
  prometheus::ClientMetric metric;
  for (const auto& [name, value] : labels) metric.label.push_back({name, value});
  return metric;
}

std::vector<prometheus::MetricFamily> Translate(const Families& families) {
  std::vector<prometheus::MetricFamily> out;
  for (const auto& family : families) {
    prometheus::MetricFamily made;
    made.name = family.name;
    made.help = family.help;
    switch (family.kind) {
      case FamilyKind::kGauge:
        made.type = prometheus::MetricType::Gauge;
        break;
      case FamilyKind::kCounter:
        made.type = prometheus::MetricType::Counter;
        break;
      case FamilyKind::kHistogram:
        made.type = prometheus::MetricType::Histogram;
        break;
    }
    for (const auto& [labels, value] : family.values) {
      auto metric = MetricOf(labels);
      (family.kind == FamilyKind::kCounter ? metric.counter.value : metric.gauge.value) = value;
      made.metric.push_back(std::move(metric));
    }
    for (const auto& [labels, spread] : family.spreads) {
      auto metric = MetricOf(labels);
      std::uint64_t seen = 0;
      for (std::size_t i = 0; i < spread.counts.size(); ++i) {
        seen += spread.counts[i];
        const double bound = i < Spread::kBounds.size() ? Spread::kBounds[i] : std::numeric_limits<double>::infinity();
        metric.histogram.bucket.push_back({seen, bound});
      }
      metric.histogram.sample_count = seen;
      metric.histogram.sample_sum = spread.sum;
      made.metric.push_back(std::move(metric));
    }
    if (!made.metric.empty()) out.push_back(std::move(made));
  }
  return out;
}

// What passes between the threads. Shared: a question that was posted may run after a scrape gave up, or never.
struct Exchange {
  std::mutex mutex;
  std::condition_variable wake;
  Families latest;
  std::uint64_t asked = 0;
  std::uint64_t answered = 0;
  bool over = false;
};

class Page final : public prometheus::Collectable {
 public:
  Page(std::shared_ptr<Exchange> exchange, std::function<void()> ask)
      : exchange_(std::move(exchange)), ask_(std::move(ask)) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    std::unique_lock lock(exchange_->mutex);
    if (exchange_->over) return {};
    const std::uint64_t want = ++exchange_->asked;
    lock.unlock();
    ask_();
    lock.lock();
    exchange_->wake.wait_for(lock, Metrics::kPatience, [&] { return exchange_->over || exchange_->answered >= want; });
    return Translate(exchange_->latest);
  }

 private:
  std::shared_ptr<Exchange> exchange_;
  std::function<void()> ask_;
};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* Get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
SocketAddress AddressOf(const api::HostPort& at) {
  SocketAddress out;
  const auto port = htons(static_cast<std::uint16_t>(at.port));
  if (at.host.find(':') != std::string::npos) {
    auto* address = reinterpret_cast<sockaddr_in6*>(&out.storage);
    address->sin6_family = AF_INET6;
    address->sin6_port = port;
    ::inet_pton(AF_INET6, at.host.c_str(), &address->sin6_addr);
    out.length = sizeof *address;
  } else {
    auto* address = reinterpret_cast<sockaddr_in*>(&out.storage);
    address->sin_family = AF_INET;
    address->sin_port = port;
    ::inet_pton(AF_INET, at.host.c_str(), &address->sin_addr);
    out.length = sizeof *address;
  }
  return out;
}

// Why nothing can listen there, in the system's words; the library does not tell. "" when it can.
std::string Obstacle(const api::HostPort& at) {
  const auto address = AddressOf(at);
  const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return std::strerror(errno);
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  std::string why;
  if (::bind(fd, address.Get(), address.length) != 0 || ::listen(fd, 1) != 0) why = std::strerror(errno);
  ::close(fd);
  return why;
}

// The library looks every two seconds whether it is to end; a connection makes it look now. Makes one after the other
// until asked to stop.
void Knock(const api::HostPort& at, const std::stop_token& stop) {
  constexpr std::chrono::milliseconds kBetween{10};
  const auto address = AddressOf(at);
  std::mutex mutex;
  std::condition_variable_any wake;
  while (!stop.stop_requested()) {
    const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return;
    [[maybe_unused]] const int begun = ::connect(fd, address.Get(), address.length);
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, kBetween, [] { return false; });
    ::close(fd);
  }
}

}  // namespace

struct Metrics::State {
  std::shared_ptr<Exchange> exchange = std::make_shared<Exchange>();
  std::shared_ptr<Page> page;  // the library holds it weakly
  std::unique_ptr<prometheus::Exposer> exposer;
};

Metrics::Metrics(std::unique_ptr<State> state, std::string address)
    : state_(std::move(state)), address_(std::move(address)) {}

Metrics::~Metrics() {
  {
    const std::lock_guard guard(state_->exchange->mutex);
    state_->exchange->over = true;
  }
  state_->exchange->wake.notify_all();
  const std::jthread knocking([this](const std::stop_token& stop) {
    if (const auto at = api::ParseHostPort(address_)) Knock(*at, stop);
  });
  state_->exposer.reset();
}

Result<std::unique_ptr<Metrics>> Metrics::Serve(const std::string& address,
                                                std::function<void(std::function<void()>)> post,
                                                std::function<Families()> gather) {
  OTE_TRY(const auto at, api::ParseHostPort(address));
  const auto refuse = [&](std::string_view why) {
    return Fail(ErrorId::kMetricsAddress, fmt::format("{}: {}", address, why),
                "choose another: ote cluster start --metrics HOST:PORT, or off");
  };
  if (const auto why = Obstacle(at); !why.empty()) return refuse(why);
  auto state = std::make_unique<State>();
  const bool v6 = at.host.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + at.host + "]" : at.host;
  auto exchange = state->exchange;
  // `gather` runs in the agent's thread, where Metrics is destroyed too: once it is over, it is not called.
  const auto answer = [exchange, gather = std::move(gather)] {
    std::uint64_t asked = 0;
    {
      const std::lock_guard guard(exchange->mutex);
      if (exchange->over) return;
      asked = exchange->asked;
    }
    auto fresh = gather();
    {
      const std::lock_guard guard(exchange->mutex);
      exchange->latest = std::move(fresh);
      exchange->answered = asked;
    }
    exchange->wake.notify_all();
  };
  state->page = std::make_shared<Page>(exchange, [post = std::move(post), answer] { post(answer); });
  int port = at.port;
  try {
    state->exposer = std::make_unique<prometheus::Exposer>(
        std::vector<std::string>{"listening_ports", fmt::format("{}:{}", host, at.port), "num_threads", "2",
                                 "keep_alive_timeout_ms", "1000", "request_timeout_ms", "10000"});
    state->exposer->RegisterCollectable(state->page);
    if (const auto ports = state->exposer->GetListeningPorts(); !ports.empty()) port = ports.front();
  } catch (const std::exception& thrown) {
    return refuse(thrown.what());
  }
  const std::string bound = fmt::format("{}:{}", host, port);
  log::Info("metrics served", {{"address", bound}});
  if (!at.loopback) {
    log::Warn("metrics are served to other machines, without encryption or a password", {{"address", bound}});
  }
  return std::unique_ptr<Metrics>(new Metrics(std::move(state), bound));
}

}  // namespace ote::agent
