#include "core/wire/zmq_transport.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <zmq.hpp>

#include "core/wire/zmq_link.h"
#include "core/wire/zmq_listener.h"

namespace ote::wire {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kEventsAtOnce = 64;
constexpr std::size_t kOfLinks = 48;  // so that a flood from our parents leaves room for the peers
constexpr milliseconds kLongestPoll = std::chrono::hours(1);

class ZmqTransport final : public Transport {
 public:
  explicit ZmqTransport(const ZmqOptions& options) : options_(options) {}
  ~ZmqTransport() override {
    const milliseconds end = SteadyNow() + milliseconds(kLingerMs);
    for (const auto& [id, link] : links_) link->Linger(end);
    if (listener_) listener_->Linger(end);
    links_.clear();
    listener_.reset();
    context_.reset();
    if (wake_ >= 0) ::close(wake_);
  }
  ZmqTransport(const ZmqTransport&) = delete;
  ZmqTransport& operator=(const ZmqTransport&) = delete;

  Result<void> Open(const crypto::TransportKey* server_key, Admission* admission);

  Result<std::string> Bind(const std::string& endpoint) override {
    if (!listener_)
      return Fail(ErrorId::kPermission, "listen on " + endpoint + ": this side has no key to prove itself with");
    return listener_->Bind(endpoint, nullptr);
  }
  Result<std::string> BindAs(const std::string& endpoint, const crypto::TransportKey& key) override {
    if (!listener_) return Bind(endpoint);
    return listener_->Bind(endpoint, &key);
  }
  Result<LinkId> Connect(const Target& target, const crypto::TransportKey& key) override {
    const LinkId id{next_link_++};
    OTE_TRY(links_[id], ZmqLink::Make(*context_, id, target, key, options_));
    return id;
  }
  void Disconnect(LinkId link) override {
    const auto it = links_.find(link);
    if (it == links_.end()) return;
    dropped_by_closed_ += it->second->Dropped();
    moved_by_closed_ += it->second->BulkMessages();
    links_.erase(it);
    std::erase_if(events_, [link](const Event& event) { return event.link == link; });
  }
  void Evict(const Caller& caller) override {
    if (listener_) listener_->Evict(caller);
    std::erase_if(events_, [&caller](const Event& event) {
      return event.kind == EventKind::kPeerMessage && IsAtMost(event.caller, caller);
    });
  }
  Result<void> Send(PeerId peer, Envelope envelope) override {
    if (!listener_) return Fail(ErrorId::kUnreachable, "send " + envelope.verb + ": the peer is gone");
    return listener_->Send(peer, std::move(envelope));
  }
  Result<void> Send(LinkId link, Envelope envelope) override {
    const auto it = links_.find(link);
    if (it == links_.end()) return Fail(ErrorId::kUnreachable, "send " + envelope.verb + ": there is no such link");
    return it->second->Send(std::move(envelope));
  }
  std::vector<Event> Wait(milliseconds at_most) override;
  void Wake() override {
    const std::uint64_t one = 1;
    // Fails only when the counter is full: then a wake is already due.
    static_cast<void>(!::write(wake_, &one, sizeof one));
  }
  std::uint64_t Dropped() const override {
    std::uint64_t sum = dropped_by_closed_ + (listener_ ? listener_->Dropped() : 0);
    for (const auto& [id, link] : links_) sum += link->Dropped();
    return sum;
  }
  std::uint64_t BulkMessages() const override {
    std::uint64_t sum = moved_by_closed_ + (listener_ ? listener_->BulkMessages() : 0);
    for (const auto& [id, link] : links_) sum += link->BulkMessages();
    return sum;
  }

 private:
  void Poll(milliseconds at_most);
  void Collect();
  milliseconds UntilNextTimer(milliseconds at_most) const;

  const ZmqOptions options_;
  int wake_ = -1;
  ZmqContext context_;
  std::unique_ptr<ZmqListener> listener_;
  std::map<LinkId, std::unique_ptr<ZmqLink>> links_;
  std::deque<Event> events_;
  std::uint64_t next_link_ = 1;
  std::uint64_t dropped_by_closed_ = 0;
  std::uint64_t moved_by_closed_ = 0;
};

Result<void> ZmqTransport::Open(const crypto::TransportKey* server_key, Admission* admission) {
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ < 0) return Fail(ErrorId::kFailed, "start the transport: no more descriptors");
  OTE_TRY(context_, MakeContext());
  if (server_key == nullptr || admission == nullptr) return {};
  listener_ = std::make_unique<ZmqListener>(*context_, *server_key, *admission, options_);
  return Guard("start the transport", [this] { listener_->Open(); });
}

milliseconds ZmqTransport::UntilNextTimer(milliseconds at_most) const {
  milliseconds left = std::clamp(at_most, milliseconds(0), kLongestPoll);
  const milliseconds now = SteadyNow();
  const auto consider = [&](const std::optional<milliseconds>& at) {
    if (at) left = std::clamp(*at - now, milliseconds(0), left);
  };
  if (listener_) consider(listener_->NextTimer());
  for (const auto& [id, link] : links_) consider(link->NextTimer());
  return left;
}

void ZmqTransport::Poll(milliseconds at_most) {
  std::vector<zmq_pollitem_t> items{{nullptr, wake_, ZMQ_POLLIN, 0}};
  const auto add = [&items](zmq::socket_t* socket) {
    if (socket != nullptr) items.push_back({socket->handle(), 0, ZMQ_POLLIN, 0});
  };
  if (listener_) {
    add(&listener_->Router());
    add(&listener_->Zap());
    add(&listener_->Monitor());
  }
  for (const auto& [id, link] : links_) {
    add(link->Socket());
    add(link->Monitor());
    add(link->Probing());
  }
  std::vector<PollWish> wishes;
  if (listener_) listener_->Wishes(wishes);
  for (const auto& [id, link] : links_) link->Wishes(wishes);
  for (const PollWish& wish : wishes) items.push_back({nullptr, wish.socket, wish.events, 0});
  // An interrupted poll is an early end of the wait; the caller's loop goes on.
  static_cast<void>(zmq_poll(items.data(), static_cast<int>(items.size()), UntilNextTimer(at_most).count()));
}

void ZmqTransport::Collect() {
  std::uint64_t wakes = 0;
  if (::read(wake_, &wakes, sizeof wakes) > 0) events_.emplace_back();
  for (const auto& [id, link] : links_) link->Serve(events_);
  for (const auto& [id, link] : links_) link->Receive(events_, kOfLinks);
  if (listener_) {
    listener_->Serve();
    listener_->Receive(events_, kEventsAtOnce);
  }
}

std::vector<Event> ZmqTransport::Wait(milliseconds at_most) {
  const milliseconds end = SteadyNow() + std::clamp(at_most, milliseconds(0), kLongestPoll);
  while (true) {
    if (events_.size() < kEventsAtOnce) {
      const milliseconds left = events_.empty() ? end - SteadyNow() : milliseconds(0);
      auto done = Guard("wait", [&] {
        Poll(left);
        Collect();
      });
      if (!done) log::Error("the transport failed", {{"why", done.error().message}});
    }
    if (!events_.empty() || SteadyNow() >= end) break;
  }
  std::vector<Event> out;
  while (!events_.empty() && out.size() < kEventsAtOnce) {
    out.push_back(std::move(events_.front()));
    events_.pop_front();
  }
  return out;
}

}  // namespace

Result<std::unique_ptr<Transport>> MakeZmqTransport(const crypto::TransportKey* server_key, Admission* admission,
                                                    const ZmqOptions& options) {
  auto transport = std::make_unique<ZmqTransport>(options);
  OTE_CHECK(transport->Open(server_key, admission));
  return std::unique_ptr<Transport>(std::move(transport));
}

}  // namespace ote::wire
