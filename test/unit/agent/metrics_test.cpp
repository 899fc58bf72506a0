#include "agent/watch/metrics.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <future>

#include "core/api/watch.h"

namespace ote::agent {
namespace {

using namespace std::chrono_literals;

std::string Get(const std::string& address) {
  const auto at = api::ParseHostPort(address).value();
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(at.port));
  ::inet_pton(AF_INET, at.host.c_str(), &to.sin_addr);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string page;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0) {
    constexpr std::string_view kAsk = "GET /metrics HTTP/1.0\r\n\r\n";
    [[maybe_unused]] const auto sent = ::send(fd, kAsk.data(), kAsk.size(), MSG_NOSIGNAL);
    char piece[4096];
    for (ssize_t got = 0; (got = ::read(fd, piece, sizeof piece)) > 0;)
      page.append(piece, static_cast<std::size_t>(got));
  }
  ::close(fd);
  return page;
}

void AtOnce(const std::function<void()>& fn) { fn(); }

Families Some() {
  Family spread{"ote_spread_seconds", "A spread.", FamilyKind::kHistogram, {}, {{{{"verb", "a\"b\n"}}, {}}}};
  spread.spreads[0].second.Add(0.002);
  spread.spreads[0].second.Add(100);
  return {Gauge("ote_gauge", "A gauge.", 1.5), Counter("ote_counter_total", "A counter.", 7), std::move(spread)};
}

}  // namespace

TEST_CASE("the page has each family with its type, and labels that cannot forge a line") {
  const auto metrics = Metrics::Serve("127.0.0.1:0", AtOnce, Some).value();
  const auto page = Get(metrics->Address());
  for (const char* line :
       {"# TYPE ote_gauge gauge\note_gauge 1.5\n", "# TYPE ote_counter_total counter\note_counter_total 7\n",
        "# TYPE ote_spread_seconds histogram\n", "ote_spread_seconds_count{verb=\"a\\\"b\\n\"} 2\n",
        "ote_spread_seconds_bucket{verb=\"a\\\"b\\n\",le=\"0.0025\"} 1\n",
        "ote_spread_seconds_bucket{verb=\"a\\\"b\\n\",le=\"+Inf\"} 2\n"}) {
    CHECK_THAT(page, Catch::Contains(line));
  }
}

TEST_CASE("each scrape sees the values of its own moment") {
  int asked = 0;
  const auto metrics = Metrics::Serve("127.0.0.1:0", AtOnce, [&] {
                         return Families{Gauge("ote_asked", "How often.", ++asked)};
                       }).value();
  CHECK(asked == 0);
  CHECK_THAT(Get(metrics->Address()), Catch::Contains("ote_asked 1\n"));
  CHECK_THAT(Get(metrics->Address()), Catch::Contains("ote_asked 2\n"));
}

TEST_CASE("metrics end at once, also in the midst of a scrape that the agent's thread never answers") {
  std::promise<void> posted;
  auto metrics = Metrics::Serve(
                     "127.0.0.1:0", [&](const std::function<void()>&) { posted.set_value(); }, Some)
                     .value();
  auto page = std::async(std::launch::async, [address = metrics->Address()] { return Get(address); });
  REQUIRE(posted.get_future().wait_for(10s) == std::future_status::ready);
  metrics.reset();
  CHECK(page.wait_for(10s) == std::future_status::ready);
}

TEST_CASE("an address that is taken, or not this machine's, is refused with the system's reason") {
  const auto metrics = Metrics::Serve("127.0.0.1:0", AtOnce, Some).value();
  const auto again = Metrics::Serve(metrics->Address(), AtOnce, Some);
  REQUIRE_FALSE(again);
  CHECK(again.error().id == ErrorId::kMetricsAddress);
  CHECK_THAT(again.error().message, Catch::Contains("Address already in use"));
  const auto elsewhere = Metrics::Serve("192.0.2.1:9440", AtOnce, Some);
  REQUIRE_FALSE(elsewhere);
  CHECK_THAT(elsewhere.error().message, Catch::Contains("Cannot assign requested address"));
}

}  // namespace ote::agent
