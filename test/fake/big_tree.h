// A tree of three tiers with thousands of members: a root and relays that are real agents, and leaves that are not
// (leaf.h). The leaves are written into the stores of those above them, as if they had joined.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/store/key_ring.h"
#include "core/store/store.h"
#include "test/fake/leaf.h"
#include "test/fake/tree.h"

namespace ote::test {

// A member that has joined: its record as those above it keep it, and its key.
struct Joined {
  api::Cluster record;
  crypto::TransportKey key;
};

class Enroller {
 public:
  explicit Enroller(const store::StateFolder& root)
      : membership_(Must(root.LoadMembership())),
        authority_(Must(store::LoadAuthorityKey(root, membership_.AuthorityKey()))) {}

  Joined Join(const std::string& name, const std::string& parent, UnixMillis now, std::int64_t serial) {
    Joined joined{{}, crypto::TransportKey::Generate()};
    crypto::CertificateBody body;
    body.serial = BigId{static_cast<std::uint64_t>(serial)};
    body.name = name;
    body.parent = parent;
    body.sign_key = crypto::ToBytes(sign_.Public().bytes);
    body.transport_key = crypto::ToBytes(joined.key.Public().bytes);
    body.not_before = now;
    body.not_after = now + membership_.certificate_life_ms;
    body.authority = crypto::ToBytes(crypto::FingerprintOf(authority_.Public()));
    auto& record = joined.record;
    record.name = name;
    record.parent = parent;
    record.serial = body.serial;
    record.joined_at = body.not_before;
    record.expires_at = body.not_after;
    record.certificate = crypto::IssueCertificate(authority_, body);
    return joined;
  }

 private:
  store::Membership membership_;
  crypto::SigningKey authority_;
  crypto::SigningKey sign_ = crypto::SigningKey::Generate();  // nobody here signs
};

class BigTree {
 public:
  BigTree(int relays, int leaves_each) {
    tree.on_the_way = [this](const std::string&, wire::Event&) { heard_ = true; };
    for (int i = 0; i < relays; ++i) {
      relays_.push_back(fmt::format("r{:03}", i));
      tree.JoinAt("hq", relays_.back(), true);
    }
    for (const auto& relay : relays_) tree.StopNode(relay);
    tree.StopNode("hq");
    Plant(leaves_each);
    tree.StartNode("hq");
    for (const auto& relay : relays_) tree.StartNode(relay);
  }

  // Steps everybody until nothing is on its way any more.
  void Settle() {
    for (int still = 0; still < 2;) {
      bool any = false;
      for (const auto& relay : relays_) any = StepNode(relay) || any;
      for (const auto& leaf : leaves) any = leaf->Step() || any;
      const auto begun = ThreadCpu();
      any = StepNode("hq") || any;
      root_cpu_ += ThreadCpu() - begun;
      still = any ? 0 : still + 1;
    }
  }
  void Pass(std::chrono::milliseconds time, std::chrono::milliseconds step) {
    for (std::chrono::milliseconds passed{0}; passed < time; passed += step) {
      tree.clock.Advance(step);
      Settle();
    }
  }
  // Steps time until `done`; how long that took, or nullopt when it did not happen within `most`.
  template <class Fn>
  std::optional<std::chrono::milliseconds> Until(Fn done, std::chrono::milliseconds most,
                                                 std::chrono::milliseconds step = std::chrono::milliseconds(250)) {
    const auto begun = tree.clock.SteadyNow();
    Settle();
    while (!done()) {
      if (tree.clock.SteadyNow() - begun >= most) return std::nullopt;
      Pass(step, step);
    }
    return tree.clock.SteadyNow() - begun;
  }

  // As SIGKILL would: the lines to it break at once.
  void Kill(const std::string& relay) { tree.StopNode(relay); }
  // As a power cut would: it says nothing any more, and nobody is told.
  void Freeze(const std::string& relay) { frozen_.insert(relay); }

  agent::Node& Root() { return tree.Node("hq"); }
  const std::vector<std::string>& relays() const noexcept { return relays_; }
  std::vector<std::string> LeafNames() const {
    std::vector<std::string> names;
    for (const auto& leaf : leaves) names.push_back(leaf->name());
    return names;
  }
  std::size_t ReadyAtRoot() {
    std::size_t ready = 0;
    for (const auto& cluster : Root().members().List()) ready += cluster.status == api::ClusterStatus::kReady ? 1 : 0;
    return ready;
  }
  std::chrono::milliseconds Heartbeat() { return std::chrono::milliseconds(Root().membership().settings.heartbeat_ms); }

  // What the root used of the processor, in this thread.
  std::chrono::nanoseconds RootCpu() const noexcept { return root_cpu_; }
  static std::chrono::nanoseconds ThreadCpu() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
  }

  Tree tree;
  std::vector<std::unique_ptr<Leaf>> leaves;

 private:
  bool StepNode(const std::string& name) {
    if (!tree.Runs(name) || frozen_.contains(name)) return false;
    bool any = false;
    do {
      heard_ = false;
      tree.Node(name).Step({});
      any = any || heard_;
    } while (heard_);
    return any;
  }

  void Plant(int each) {
    Enroller enroller(tree.Folder("hq"));
    auto root = Must(store::Store::Open(tree.Folder("hq").Database()));
    const auto now = tree.clock.WallNow();
    Must(root.Transaction([&]() -> Result<void> {
      for (const auto& relay : relays_) {
        const api::ParentEntry parent{relay,
                                      {"tcp://" + relay + ":7440"},
                                      crypto::ToBytes(Must(tree.Folder(relay).TransportKey()).Public().bytes),
                                      0};
        auto below = Must(store::Store::Open(tree.Folder(relay).Database()));
        const auto written = below.Transaction([&]() -> Result<void> {
          for (int i = 0; i < each; ++i) {
            OTE_TRY(const auto serial, root.NextNumber("serial"));
            auto joined = enroller.Join(fmt::format("{}-{:03}", relay, i), relay, now, serial + 1);
            OTE_CHECK(root.Put(joined.record));
            OTE_CHECK(below.Put(joined.record));
            leaves.push_back(std::make_unique<Leaf>(joined.record.name, tree.clock,
                                                    tree.network.MakeTransport(nullptr, nullptr), std::move(joined.key),
                                                    joined.record.serial, parent));
          }
          return {};
        });
        OTE_CHECK(written);
      }
      return {};
    }));
  }

  std::vector<std::string> relays_;
  std::set<std::string> frozen_;
  bool heard_ = false;
  std::chrono::nanoseconds root_cpu_{0};
};

}  // namespace ote::test
