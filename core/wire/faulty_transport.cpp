#include "core/wire/faulty_transport.h"

#include <deque>

namespace ote::wire {
namespace {

constexpr std::size_t kEventsAtOnce = 64;

class FaultyTransport final : public Transport {
 public:
  FaultyTransport(std::unique_ptr<Transport> inner, FaultScript script)
      : inner_(std::move(inner)), script_(std::move(script)) {}

  Result<std::string> Bind(const std::string& endpoint) override { return inner_->Bind(endpoint); }
  Result<std::string> BindAs(const std::string& endpoint, const crypto::TransportKey& key) override {
    return inner_->BindAs(endpoint, key);
  }
  Result<LinkId> Connect(const Target& target, const crypto::TransportKey& key) override {
    return inner_->Connect(target, key);
  }
  void Disconnect(LinkId link) override {
    const auto is_its = [link](const Event& event) { return event.link == link; };
    std::erase_if(ready_, is_its);
    std::erase_if(held_, is_its);
    inner_->Disconnect(link);
  }
  void Evict(const Caller& caller) override { inner_->Evict(caller); }
  Result<void> Send(PeerId peer, Envelope envelope) override { return inner_->Send(peer, std::move(envelope)); }
  Result<void> Send(LinkId link, Envelope envelope) override { return inner_->Send(link, std::move(envelope)); }
  void Wake() override { inner_->Wake(); }
  std::uint64_t Dropped() const override { return inner_->Dropped(); }
  std::uint64_t BulkMessages() const override { return inner_->BulkMessages(); }

  std::vector<Event> Wait(std::chrono::milliseconds at_most) override {
    if (!ready_.empty()) at_most = std::chrono::milliseconds(0);
    for (Event& event : inner_->Wait(at_most)) Pass(std::move(event));
    std::vector<Event> out;
    while (!ready_.empty() && out.size() < kEventsAtOnce) {
      out.push_back(std::move(ready_.front()));
      ready_.pop_front();
    }
    return out;
  }

 private:
  void Pass(Event event) {
    if (event.kind != EventKind::kPeerMessage && event.kind != EventKind::kLinkMessage) {
      ready_.push_back(std::move(event));
      return;
    }
    const Fault fault = script_(event);
    std::deque<Event> late;
    late.swap(held_);
    if (fault == Fault::kRepeat) ready_.push_back(event);
    if (fault == Fault::kDelayOne) {
      held_.push_back(std::move(event));
    } else if (fault != Fault::kDrop) {
      ready_.push_back(std::move(event));
    }
    for (Event& one : late) ready_.push_back(std::move(one));
  }

  std::unique_ptr<Transport> inner_;
  FaultScript script_;
  std::deque<Event> ready_;
  std::deque<Event> held_;  // wait for the next message
};

}  // namespace

std::unique_ptr<Transport> MakeFaultyTransport(std::unique_ptr<Transport> inner, FaultScript script) {
  return std::make_unique<FaultyTransport>(std::move(inner), std::move(script));
}

}  // namespace ote::wire
