#include "core/wire/memory_transport.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <set>

namespace ote::wire {
namespace {

constexpr std::size_t kEventsAtOnce = 64;

class MemoryTransport;

}  // namespace

struct MemoryNetwork::State {
  struct Listener {
    MemoryTransport* transport = nullptr;
    std::optional<crypto::TransportPublic> key;  // another than the transport's own
  };
  std::map<std::string, Listener> listeners;
  std::set<std::string> cut;
  std::uint64_t next_id = 1;
  int next_port = 40'001;
  std::vector<MemoryTransport*> all;
};

namespace {

using State = MemoryNetwork::State;

class MemoryTransport final : public Transport {
 public:
  MemoryTransport(std::shared_ptr<State> state, const crypto::TransportKey* server_key, Admission* admission)
      : state_(std::move(state)), server_key_(server_key), admission_(admission) {
    state_->all.push_back(this);
  }
  MemoryTransport(const MemoryTransport&) = delete;
  MemoryTransport& operator=(const MemoryTransport&) = delete;
  ~MemoryTransport() override {
    while (!peers_.empty()) Unhook(peers_.begin()->first, Tell::kClient);
    while (!links_.empty()) Disconnect(links_.begin()->first);
    std::erase_if(state_->listeners, [this](const auto& entry) { return entry.second.transport == this; });
    std::erase(state_->all, this);
  }

  Result<std::string> Bind(const std::string& endpoint) override { return Listen(endpoint, std::nullopt); }
  Result<std::string> BindAs(const std::string& endpoint, const crypto::TransportKey& key) override {
    return Listen(endpoint, key.Public());
  }
  Result<LinkId> Connect(const Target& target, const crypto::TransportKey& key) override;
  void Disconnect(LinkId link) override;
  void Evict(const Caller& caller) override;
  Result<void> Send(PeerId peer, Envelope envelope) override;
  Result<void> Send(LinkId link, Envelope envelope) override;
  std::vector<Event> Wait(std::chrono::milliseconds at_most) override;
  void Wake() override { woken_ = true; }
  std::uint64_t Dropped() const override { return dropped_; }

  // Loses the connections that were made to `endpoint`.
  void CutListener(const std::string& endpoint);

 private:
  enum class LinkState { kTrying, kRefused, kWrongKey, kUp };
  enum class Tell { kNobody, kClient };
  struct Link {
    Target target;
    crypto::TransportPublic key;
    LinkState state = LinkState::kTrying;
    MemoryTransport* server = nullptr;
    PeerId peer;
  };
  struct Peer {
    Caller caller;
    std::string endpoint;
    MemoryTransport* client = nullptr;
    LinkId link;
  };

  Result<std::string> Listen(const std::string& endpoint, std::optional<crypto::TransportPublic> key);
  void Try(LinkId id, Link& link);
  void Report(LinkId id, EventKind kind);
  void Unhook(PeerId peer, Tell tell);
  // Frame 1 as it was sent; decodes it, or counts it as dropped.
  void Deliver(Event event, const Bytes& header, Blob blob);

  std::shared_ptr<State> state_;
  const crypto::TransportKey* server_key_;
  Admission* admission_;
  std::map<PeerId, Peer> peers_;
  std::map<LinkId, Link> links_;
  std::deque<Event> events_;
  std::atomic<bool> woken_ = false;
  std::uint64_t dropped_ = 0;
};

Result<std::string> MemoryTransport::Listen(const std::string& endpoint, std::optional<crypto::TransportPublic> key) {
  std::string name = endpoint;
  if (name.find("://") == std::string::npos || name.ends_with("://")) {
    return Fail(ErrorId::kEndpointInvalid, "listen on " + endpoint + ": not an endpoint");
  }
  if (server_key_ == nullptr || admission_ == nullptr) {
    return Fail(ErrorId::kPermission, "listen on " + endpoint + ": this side has no key to prove itself with");
  }
  if (name.starts_with("tcp://") && name.ends_with(":0")) {
    name.replace(name.size() - 1, 1, std::to_string(state_->next_port++));
  }
  const auto it = state_->listeners.find(name);
  if (key && it != state_->listeners.end() && it->second.transport == this) {
    CutListener(name);
    it->second.key = key;
    return name;
  }
  if (!state_->listeners.emplace(name, State::Listener{this, key}).second) {
    return Fail(ErrorId::kPortInUse, "listen on " + endpoint + ": another listens there");
  }
  return name;
}

Result<LinkId> MemoryTransport::Connect(const Target& target, const crypto::TransportKey& key) {
  const LinkId id{state_->next_id++};
  links_[id] = Link{target, key.Public(), LinkState::kTrying, nullptr, {}};
  return id;
}

void MemoryTransport::Disconnect(LinkId link) {
  const auto it = links_.find(link);
  if (it == links_.end()) return;
  if (it->second.state == LinkState::kUp) it->second.server->Unhook(it->second.peer, Tell::kNobody);
  links_.erase(it);
  std::erase_if(events_, [link](const Event& event) { return event.link == link; });
}

void MemoryTransport::Unhook(PeerId peer, Tell tell) {
  const auto it = peers_.find(peer);
  if (it == peers_.end()) return;
  const Peer gone = it->second;
  peers_.erase(it);
  if (tell == Tell::kNobody) return;
  const auto link = gone.client->links_.find(gone.link);
  if (link == gone.client->links_.end()) return;
  link->second.state = LinkState::kTrying;
  link->second.server = nullptr;
  gone.client->Report(gone.link, EventKind::kLinkDown);
}

void MemoryTransport::Evict(const Caller& caller) {
  const auto matches = [&caller](const Caller& other) { return IsAtMost(other, caller); };
  std::vector<PeerId> gone;
  for (const auto& [id, peer] : peers_) {
    if (matches(peer.caller)) gone.push_back(id);
  }
  for (PeerId id : gone) {
    Envelope notice = MakeEvictionNotice();
    const Bytes header = EncodeHeader(notice);
    Event event;
    event.kind = EventKind::kLinkMessage;
    event.link = peers_[id].link;
    peers_[id].client->Deliver(std::move(event), header, {});
    Unhook(id, Tell::kClient);
  }
  std::erase_if(events_,
                [&](const Event& event) { return event.kind == EventKind::kPeerMessage && matches(event.caller); });
}

void MemoryTransport::CutListener(const std::string& endpoint) {
  std::vector<PeerId> gone;
  for (const auto& [id, peer] : peers_) {
    if (peer.endpoint == endpoint) gone.push_back(id);
  }
  for (PeerId id : gone) Unhook(id, Tell::kClient);
}

Result<void> MemoryTransport::Send(PeerId peer, Envelope envelope) {
  OTE_TRY(const Bytes header, EncodeForSending(envelope));
  const auto it = peers_.find(peer);
  if (it == peers_.end()) return Fail(ErrorId::kUnreachable, "send " + envelope.verb + ": the peer is gone");
  Event event;
  event.kind = EventKind::kLinkMessage;
  event.link = it->second.link;
  it->second.client->Deliver(std::move(event), header, std::move(envelope.blob));
  return {};
}

Result<void> MemoryTransport::Send(LinkId link, Envelope envelope) {
  OTE_TRY(const Bytes header, EncodeForSending(envelope));
  const auto it = links_.find(link);
  if (it == links_.end() || it->second.state != LinkState::kUp) {
    return Fail(ErrorId::kUnreachable, "send " + envelope.verb + ": the link is down");
  }
  MemoryTransport& server = *it->second.server;
  Event event;
  event.kind = EventKind::kPeerMessage;
  event.peer = it->second.peer;
  event.caller = server.peers_.at(it->second.peer).caller;
  server.Deliver(std::move(event), header, std::move(envelope.blob));
  return {};
}

void MemoryTransport::Deliver(Event event, const Bytes& header, Blob blob) {
  auto envelope = DecodeHeader(header);
  if (!envelope) {
    ++dropped_;
    return;
  }
  event.envelope = std::move(*envelope);
  event.envelope.blob = std::move(blob);
  events_.push_back(std::move(event));
}

void MemoryTransport::Report(LinkId id, EventKind kind) {
  Event event;
  event.kind = kind;
  event.link = id;
  events_.push_back(std::move(event));
}

void MemoryTransport::Try(LinkId id, Link& link) {
  const auto listener = state_->listeners.find(link.target.endpoint);
  if (listener == state_->listeners.end() || state_->cut.contains(link.target.endpoint)) {
    link.state = LinkState::kTrying;
    return;
  }
  MemoryTransport& server = *listener->second.transport;
  if (listener->second.key.value_or(server.server_key_->Public()) != link.target.server_key) {
    if (std::exchange(link.state, LinkState::kWrongKey) != LinkState::kWrongKey) Report(id, EventKind::kLinkWrongKey);
    return;
  }
  const bool local = link.target.endpoint.starts_with("ipc://");
  const auto caller = local ? server.admission_->AdmitLocal(link.key) : server.admission_->Admit(link.key);
  if (!caller) {
    if (std::exchange(link.state, LinkState::kRefused) != LinkState::kRefused) Report(id, EventKind::kLinkRefused);
    return;
  }
  link.state = LinkState::kUp;
  link.server = &server;
  link.peer = PeerId{state_->next_id++};
  server.peers_[link.peer] = Peer{*caller, link.target.endpoint, this, id};
  Report(id, EventKind::kLinkUp);
}

std::vector<Event> MemoryTransport::Wait(std::chrono::milliseconds) {
  for (auto& [id, link] : links_) {
    if (link.state != LinkState::kUp) Try(id, link);
  }
  std::vector<Event> out;
  if (woken_.exchange(false)) out.emplace_back();
  while (!events_.empty() && out.size() < kEventsAtOnce) {
    out.push_back(std::move(events_.front()));
    events_.pop_front();
  }
  return out;
}

}  // namespace

MemoryNetwork::MemoryNetwork() : state_(std::make_shared<State>()) {}
MemoryNetwork::~MemoryNetwork() = default;

std::unique_ptr<Transport> MemoryNetwork::MakeTransport(const crypto::TransportKey* server_key, Admission* admission) {
  return std::make_unique<MemoryTransport>(state_, server_key, admission);
}

void MemoryNetwork::Cut(const std::string& endpoint) {
  state_->cut.insert(endpoint);
  if (const auto it = state_->listeners.find(endpoint); it != state_->listeners.end())
    it->second.transport->CutListener(endpoint);
}

void MemoryNetwork::Mend(const std::string& endpoint) { state_->cut.erase(endpoint); }

}  // namespace ote::wire
