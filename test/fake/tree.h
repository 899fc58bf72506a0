// A whole tree in one process and one thread, for tests: real agents over a network in memory and a clock that stands
// still until it is told to go on.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/node.h"
#include "core/base/ids.h"
#include "core/store/found.h"
#include "core/wire/client.h"
#include "core/wire/enrol.h"
#include "core/wire/memory_transport.h"

namespace ote::test {

// Shows every message to `look` before it is handed out; it may change it.
class TappedTransport final : public wire::Transport {
 public:
  using Look = std::function<void(wire::Event&)>;
  TappedTransport(std::unique_ptr<wire::Transport> inner, Look look)
      : inner_(std::move(inner)), look_(std::move(look)) {}
  Result<std::string> Bind(const std::string& endpoint) override { return inner_->Bind(endpoint); }
  Result<std::string> BindAs(const std::string& endpoint, const crypto::TransportKey& key) override {
    return inner_->BindAs(endpoint, key);
  }
  Result<wire::LinkId> Connect(const wire::Target& target, const crypto::TransportKey& key) override {
    return inner_->Connect(target, key);
  }
  void Disconnect(wire::LinkId link) override { inner_->Disconnect(link); }
  void Evict(const wire::Caller& caller) override { inner_->Evict(caller); }
  Result<void> Send(wire::PeerId peer, wire::Envelope envelope) override {
    return inner_->Send(peer, std::move(envelope));
  }
  Result<void> Send(wire::LinkId link, wire::Envelope envelope) override {
    return inner_->Send(link, std::move(envelope));
  }
  std::vector<wire::Event> Wait(std::chrono::milliseconds at_most) override {
    auto events = inner_->Wait(at_most);
    for (auto& event : events) {
      const bool message = event.kind == wire::EventKind::kPeerMessage || event.kind == wire::EventKind::kLinkMessage;
      if (message) look_(event);
    }
    return events;
  }
  void Wake() override { inner_->Wake(); }
  std::uint64_t Dropped() const override { return inner_->Dropped(); }

 private:
  std::unique_ptr<wire::Transport> inner_;
  Look look_;
};

// Steps the tree whenever the one who holds it waits, so that a blocking Client can be used in the same thread.
class PumpedTransport final : public wire::Transport {
 public:
  PumpedTransport(std::unique_ptr<wire::Transport> inner, std::function<void()> pump)
      : inner_(std::move(inner)), pump_(std::move(pump)) {}
  Result<std::string> Bind(const std::string& endpoint) override { return inner_->Bind(endpoint); }
  Result<std::string> BindAs(const std::string& endpoint, const crypto::TransportKey& key) override {
    return inner_->BindAs(endpoint, key);
  }
  Result<wire::LinkId> Connect(const wire::Target& target, const crypto::TransportKey& key) override {
    return inner_->Connect(target, key);
  }
  void Disconnect(wire::LinkId link) override { inner_->Disconnect(link); }
  void Evict(const wire::Caller& caller) override { inner_->Evict(caller); }
  Result<void> Send(wire::PeerId peer, wire::Envelope envelope) override {
    return inner_->Send(peer, std::move(envelope));
  }
  Result<void> Send(wire::LinkId link, wire::Envelope envelope) override {
    return inner_->Send(link, std::move(envelope));
  }
  std::vector<wire::Event> Wait(std::chrono::milliseconds) override {
    pump_();
    return inner_->Wait({});
  }
  void Wake() override { inner_->Wake(); }
  std::uint64_t Dropped() const override { return inner_->Dropped(); }

 private:
  std::unique_ptr<wire::Transport> inner_;
  std::function<void()> pump_;
};

template <class T>
T Must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().Code() + " " + result.error().message);
  return std::move(*result);
}
inline void Must(Result<void> result) {
  if (!result) throw std::runtime_error(result.error().Code() + " " + result.error().message);
}

class Tree {
 public:
  static constexpr const char* kRootEndpoint = "tcp://root:7440";

  explicit Tree(std::int64_t certificate_life_ms = 90LL * 24 * 3600 * 1000)
      : scratch_(std::filesystem::temp_directory_path() / NewId("ote-tree")) {
    std::filesystem::create_directories(scratch_);
    store::FoundOptions options;
    options.name = "hq";
    options.listen = {kRootEndpoint};
    options.certificate_life_ms = certificate_life_ms;
    Must(store::FoundTree(Folder("hq"), options, clock.WallNow()));
    StartNode("hq");
  }
  ~Tree() {
    nodes_.clear();
    std::error_code ignored;
    std::filesystem::remove_all(scratch_, ignored);
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  store::StateFolder Folder(const std::string& name) const { return {scratch_ / name}; }
  const std::filesystem::path& scratch() const { return scratch_; }

  void StartNode(const std::string& name) {
    nodes_[name] =
        Must(agent::Node::Open(Folder(name).path, clock,
                               [this, name](const crypto::TransportKey* key,
                                            wire::Admission* admission) -> Result<std::unique_ptr<wire::Transport>> {
                                 return Tap(network.MakeTransport(key, admission), name);
                               }));
  }
  // As SIGKILL would: nothing is said to anybody.
  void StopNode(const std::string& name) { nodes_.erase(name); }
  bool Runs(const std::string& name) const { return nodes_.contains(name); }
  agent::Node& Node(const std::string& name) { return *nodes_.at(name); }

  // `name` stands still, as under a heavy load, until `until` holds.
  void Hold(const std::string& name, std::function<bool()> until) { held_[name] = std::move(until); }
  // Steps every agent until all that was in flight has arrived.
  void Settle(int rounds = 8) {
    for (int i = 0; i < rounds; ++i) {
      std::erase_if(held_, [](const auto& held) { return held.second(); });
      for (auto& [name, node] : nodes_) {
        if (!held_.contains(name)) node->Step({});
      }
    }
  }
  bool Busy() const {
    return std::any_of(nodes_.begin(), nodes_.end(), [](const auto& entry) { return entry.second->Busy(); });
  }
  // Lets time pass in small steps, so that heartbeats happen on the way.
  void Pass(std::chrono::milliseconds time, std::chrono::milliseconds step = std::chrono::seconds(1)) {
    for (std::chrono::milliseconds passed{0}; passed < time; passed += step) {
      clock.Advance(step);
      Settle(4);
    }
  }

  wire::Client OpenClient(const wire::Target& target, const crypto::TransportKey& key) {
    return Must(TryClient(target, key));
  }
  Result<wire::Client> TryClient(const wire::Target& target, const crypto::TransportKey& key) {
    return wire::Client::Open(
        std::make_unique<PumpedTransport>(network.MakeTransport(nullptr, nullptr), [this] { Settle(1); }), target, key,
        std::chrono::seconds(2));
  }
  // As the command line on the machine of `name`.
  wire::Client Operator(const std::string& name) {
    const auto folder = Folder(name);
    return OpenClient({folder.ControlEndpoint(), Must(folder.ControlServerKey()).Public()}, Must(folder.ControlKey()));
  }
  template <class Reply, class Body>
  Result<Reply> Ask(const std::string& name, std::string_view verb, const Body& body) {
    return Operator(name).Ask<Reply>(verb, body, std::chrono::seconds(5));
  }

  std::string Token(api::TokenRequest request = {}, const std::string& parent = "hq") {
    return Must(Ask<api::TokenReply>(parent, api::verb::kTokenCreate, request)).token;
  }
  // What `ote cluster join` does, without starting the agent.
  Result<wire::Enrolled> Enrol(const std::string& token_text, const std::string& name, const api::Labels& labels = {},
                               UnixMillis clock_off = 0, const std::vector<std::string>& listen = {}) {
    OTE_TRY(const auto token, crypto::JoinToken::Parse(token_text));
    const auto folder = Folder(name);
    OTE_CHECK(folder.Create());
    OTE_TRY(const auto sign, folder.SignKey());
    OTE_TRY(const auto transport, folder.TransportKey());
    OTE_CHECK(folder.ControlKey());
    OTE_TRY(auto client, TryClient({token.endpoints.front(), token.parent_key}, token.EnrolmentKey()));
    OTE_TRY(auto enrolled, wire::Enrol(client, token, name, labels, sign, transport.Public(),
                                       clock.WallNow() + clock_off, std::chrono::seconds(5)));
    store::Membership membership;
    membership.name = name;
    membership.authority_key = enrolled.authority_key;
    membership.successions = enrolled.successions;
    membership.certificate = enrolled.reply.certificate;
    membership.revocations = enrolled.reply.revocations;
    membership.settings = enrolled.reply.settings;
    membership.place = enrolled.reply.place;
    membership.listen = listen;
    membership.shim = "none";  // nothing of this machine shows in tests
    membership.parent =
        store::ParentRef{token.endpoints, Bytes(token.parent_key.bytes.begin(), token.parent_key.bytes.end())};
    OTE_CHECK(folder.SaveMembership(membership));
    return enrolled;
  }
  void Join(const std::string& name, const api::Labels& labels = {}) {
    Must(Enrol(Token(), name, labels));
    StartNode(name);
    Settle();
  }
  // The same below `parent`. One that takes children listens at tcp://NAME:7440.
  void JoinAt(const std::string& parent, const std::string& name, bool takes_children = false,
              const api::Labels& labels = {}) {
    std::vector<std::string> listen;
    if (takes_children) listen.push_back("tcp://" + name + ":7440");
    Must(Enrol(Token({}, parent), name, labels, 0, listen));
    StartNode(name);
    Settle();
  }
  api::Cluster Shown(const std::string& name, const std::string& at = "hq") {
    for (auto& cluster : Must(Ask<api::ClusterList>(at, api::verb::kClusterList, api::Empty{})).items) {
      if (cluster.name == name) return cluster;
    }
    throw std::runtime_error(name + " is not listed");
  }

  // Sees, and may change, what comes to the agents; as somebody on the way could, were there no keys of links.
  std::function<void(const std::string& to, wire::Event&)> on_the_way;

  FakeClock clock;
  wire::MemoryNetwork network;

 private:
  std::unique_ptr<wire::Transport> Tap(std::unique_ptr<wire::Transport> inner, const std::string& name) {
    return std::make_unique<TappedTransport>(std::move(inner), [this, name](wire::Event& event) {
      if (on_the_way) on_the_way(name, event);
    });
  }

  std::filesystem::path scratch_;
  std::map<std::string, std::unique_ptr<agent::Node>> nodes_;
  std::map<std::string, std::function<bool()>> held_;
};

}  // namespace ote::test
