#include "core/tree/rollout.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace ote;
using Kind = tree::RolloutAction::Kind;

namespace {

// A rollout and what has come of it; the machine is made anew, from what was kept, before every step.
struct Trial {
  api::Rollout state;
  UnixMillis now = 1000;
  std::vector<std::string> sent;
  std::vector<std::string> unset;
  bool done = false;
  std::string failed;
  UnixMillis wake = 0;

  explicit Trial(std::int64_t at_once = 1) {
    api::RolloutSpec spec;
    spec.max_unavailable = at_once;
    spec.health_ms = 10'000;
    tree::RolloutMachine(state).Begin(1, spec);
  }
  void Sites(const std::vector<tree::RolloutMachine::Site>& sites) { tree::RolloutMachine(state).SetSites(sites); }
  void Step() {
    const auto kept = FromCbor<api::Rollout>(ToCbor(state));
    REQUIRE(kept);
    REQUIRE(*kept == state);
    state = *kept;
    sent.clear();
    unset.clear();
    wake = 0;
    for (const auto& action : tree::RolloutMachine(state).Step(now)) {
      if (action.kind == Kind::kSend) sent.push_back(action.cluster);
      if (action.kind == Kind::kUnset) unset.push_back(action.cluster);
      if (action.kind == Kind::kDone) done = true;
      if (action.kind == Kind::kFailed) failed = action.why;
      if (action.kind == Kind::kWake) wake = action.at;
    }
  }
  void Says(const std::string& cluster, api::AppPhase phase, std::int64_t revision = 1) {
    api::AppStatus status;
    status.app = "web";
    status.revision = status.wanted_revision = revision;
    status.phase = phase;
    tree::RolloutMachine(state).Tell(cluster, status);
    Step();
  }
};
using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a revision goes to as many clusters at a time as may be without it, and ends when all are healthy") {
  Trial t(2);
  t.Sites({{"a", true, false}, {"b", true, false}, {"c", true, false}});
  t.Step();
  CHECK(t.sent == Names{"a", "b"});
  CHECK(t.wake == t.now + 10'000);
  t.Says("a", api::AppPhase::kProgressing);
  CHECK(t.sent.empty());
  t.Says("a", api::AppPhase::kHealthy);
  CHECK(t.sent == Names{"c"});
  t.Says("b", api::AppPhase::kHealthy);
  CHECK_FALSE(t.done);
  t.Says("c", api::AppPhase::kHealthy);
  CHECK(t.done);
  CHECK(t.state.phase == api::RolloutPhase::kDone);
}

TEST_CASE("canaries go first, and a share of clusters is rounded up") {
  Trial t(0);
  t.state.spec.max_unavailable_percent = 25;
  t.Sites({{"a", true, false}, {"b", true, false}, {"c", true, true}, {"d", true, false}, {"e", true, false}});
  t.Step();
  CHECK(t.sent == Names{"c"});
  t.Says("c", api::AppPhase::kHealthy);
  CHECK(t.sent == Names{"a", "b"});
}

TEST_CASE("a cluster that is away blocks nothing, and catches up when it returns") {
  Trial t(1);
  t.Sites({{"a", false, true}, {"b", true, false}});
  t.Step();
  CHECK(t.sent == Names{"b"});
  t.Says("b", api::AppPhase::kHealthy);
  CHECK(t.done);
  CHECK(t.state.sites.at("a").phase == api::SitePhase::kPending);
  t.Sites({{"a", true, true}, {"b", true, false}});
  t.Step();
  CHECK(t.sent == Names{"a"});
}

TEST_CASE("a cluster that goes while it updates is not waited for, and gets its whole time when it is back") {
  Trial t(1);
  t.Sites({{"a", true, false}, {"b", true, false}});
  t.Step();
  t.now += 8'000;
  t.Sites({{"a", false, false}, {"b", true, false}});
  t.Step();
  CHECK(t.sent == Names{"b"});
  t.Says("b", api::AppPhase::kHealthy);
  t.now += 60'000;
  t.Step();
  CHECK(t.failed.empty());
  t.Sites({{"a", true, false}, {"b", true, false}});
  t.Step();
  CHECK(t.sent.empty());  // it was told already
  CHECK(t.wake == t.now + 10'000);
}

TEST_CASE("a rollout stops when a cluster is not healthy in time, or fails, or refuses") {
  Trial late(1);
  late.Sites({{"a", true, false}, {"b", true, false}});
  late.Step();
  late.now += 10'000;
  late.Step();
  CHECK(late.failed == "a: not healthy within 10 s");
  CHECK(late.sent.empty());
  CHECK(late.state.phase == api::RolloutPhase::kStopped);

  Trial ill(1);
  ill.Sites({{"a", true, false}, {"b", true, false}});
  ill.Step();
  ill.Says("a", api::AppPhase::kFailed, 0);
  CHECK(ill.failed.empty());  // of what ran before
  ill.Says("a", api::AppPhase::kFailed);
  CHECK(ill.failed == "a: it failed");

  Trial refuses(1);
  refuses.Sites({{"a", true, false}});
  refuses.Step();
  tree::RolloutMachine(refuses.state).Refused("a", 1, "no such shim");
  refuses.Step();
  CHECK(refuses.failed == "a: no such shim");
}

TEST_CASE("as long as everybody is away, nothing is done") {
  Trial t(1);
  t.Sites({{"a", false, false}, {"b", false, false}});
  t.Step();
  CHECK(t.sent.empty());
  CHECK(t.state.phase == api::RolloutPhase::kRolling);
  t.Sites({{"a", true, false}, {"b", false, false}});
  t.Step();
  t.Says("a", api::AppPhase::kHealthy);
  CHECK(t.done);
}

TEST_CASE("what falls ill after it was healthy stops nothing") {
  Trial t(1);
  t.Sites({{"a", true, false}, {"b", true, false}});
  t.Step();
  t.Says("a", api::AppPhase::kHealthy);
  t.Says("a", api::AppPhase::kFailed);
  CHECK(t.failed.empty());
  CHECK(t.state.sites.at("a").phase == api::SitePhase::kHealthy);
}

TEST_CASE("a cluster that went back by itself stops the rollout, one that was overridden does not") {
  Trial t(2);
  t.Sites({{"a", true, false}, {"b", true, false}});
  t.Step();
  api::AppStatus status;
  status.app = "web";
  status.revision = status.wanted_revision = 1;
  status.overridden_by = "alice";
  tree::RolloutMachine(t.state).Tell("a", status);
  t.Step();
  CHECK(t.failed.empty());
  CHECK(t.state.sites.at("a").phase == api::SitePhase::kOverridden);
  status.overridden_by.clear();
  status.rolled_back_from = 1;
  status.message = "port in use";
  tree::RolloutMachine(t.state).Tell("b", status);
  t.Step();
  CHECK(t.failed == "b: port in use");
}

TEST_CASE("a cluster that is not to have the app any more is told once, and forgotten when it has given it up") {
  Trial t(5);
  t.Sites({{"a", true, false}, {"b", true, false}, {"c", false, false}});
  t.Step();
  t.Says("a", api::AppPhase::kHealthy);
  t.Says("b", api::AppPhase::kHealthy);
  t.Sites({{"a", true, false}});
  t.Step();
  CHECK(t.unset == Names{"b"});
  CHECK_FALSE(t.state.sites.contains("c"));  // it never had it
  t.Step();
  CHECK(t.unset.empty());
  tree::RolloutMachine(t.state).Left("b");
  CHECK_FALSE(t.state.sites.contains("b"));
  // Wanted there again: it is told again.
  t.Sites({{"a", true, false}, {"b", true, false}});
  t.Step();
  CHECK(t.sent == Names{"b"});
}

TEST_CASE("a newer revision begins on all, whatever the one before came to") {
  Trial t(5);
  t.Sites({{"a", true, false}, {"b", true, false}});
  t.Step();
  t.Says("a", api::AppPhase::kHealthy);
  t.Says("b", api::AppPhase::kFailed);
  REQUIRE(t.state.phase == api::RolloutPhase::kStopped);
  tree::RolloutMachine(t.state).Begin(2, t.state.spec);
  t.Step();
  CHECK(t.sent == Names{"a", "b"});
  t.Says("a", api::AppPhase::kHealthy, 1);  // late
  CHECK_FALSE(t.done);
  t.Says("a", api::AppPhase::kHealthy, 2);
  t.Says("b", api::AppPhase::kHealthy, 2);
  CHECK(t.done);
}

TEST_CASE("a cluster that is told by a file is pending until it says what became of it, and holds up nobody") {
  Trial t;
  t.Sites({{"a", true, false}, {"c", false, false}});
  t.Step();
  t.Says("a", api::AppPhase::kHealthy);
  CHECK(t.done);
  CHECK(t.state.sites.at("c").phase == api::SitePhase::kPending);
  tree::RolloutMachine(t.state).Carried("c", 1);
  t.now += 60'000;
  t.Step();
  CHECK(t.state.sites.at("c").phase == api::SitePhase::kPending);
  CHECK(t.failed.empty());
  t.Says("c", api::AppPhase::kHealthy);
  CHECK(t.state.sites.at("c").phase == api::SitePhase::kHealthy);
  // Another copy of the same file changes nothing; a newer revision waits to be carried again.
  tree::RolloutMachine(t.state).Carried("c", 1);
  CHECK(t.state.sites.at("c").phase == api::SitePhase::kHealthy);
  tree::RolloutMachine(t.state).Begin(2, t.state.spec);
  CHECK(t.state.sites.at("c").phase == api::SitePhase::kPending);
  t.Says("c", api::AppPhase::kHealthy);
  CHECK(t.state.sites.at("c").phase == api::SitePhase::kPending);
}

TEST_CASE("a cluster that was told by a file is forgotten when it says that it gave the app up, and not before") {
  Trial t;
  t.Sites({{"c", false, false}});
  tree::RolloutMachine(t.state).Carried("c", 1);
  t.Sites({});
  t.Step();
  CHECK(t.unset.empty());  // nothing goes over a line that it does not have
  CHECK(t.state.sites.at("c").phase == api::SitePhase::kLeaving);
  // Wanted again before the removal was carried: it is to be told anew, and is not forgotten when it is let go again.
  t.Sites({{"c", false, false}});
  CHECK(t.state.sites.at("c").phase == api::SitePhase::kPending);
  CHECK(t.state.sites.at("c").sent == 0);
  t.Sites({});
  CHECK(t.state.sites.at("c").phase == api::SitePhase::kLeaving);
  tree::RolloutMachine(t.state).Without("c");
  CHECK(t.state.sites.empty());
}

TEST_CASE("a cluster that was told by a file and has a line by now is told over it") {
  Trial t;
  t.Sites({{"c", false, false}});
  tree::RolloutMachine(t.state).Carried("c", 1);
  t.Sites({{"c", true, false}});
  t.Step();
  CHECK(t.sent == Names{"c"});
  t.Sites({{"c", false, false}});
  tree::RolloutMachine(t.state).Carried("c", 1);
  CHECK(t.state.sites.at("c").carried);
  t.Sites({});
  t.Step();
  CHECK(t.unset.empty());
  tree::RolloutMachine(t.state).Connected("c");
  t.Step();
  CHECK(t.unset == Names{"c"});
}

TEST_CASE("a cluster that lost its line gives the app up by a file") {
  Trial t;
  t.Sites({{"c", true, false}});
  t.Step();
  t.Sites({});
  tree::RolloutMachine(t.state).Without("c");
  CHECK(t.state.sites.size() == 1);  // no file told it to
  tree::RolloutMachine(t.state).Carried("c", 1);
  tree::RolloutMachine(t.state).Without("c");
  CHECK(t.state.sites.empty());
}

TEST_CASE("a cluster that is away, was let go and is wanted again is pending") {
  Trial t;
  t.Sites({{"a", true, false}, {"b", true, false}});
  t.Step();
  t.Says("a", api::AppPhase::kHealthy);
  t.Sites({{"a", true, false}, {"b", false, false}});
  t.Sites({{"a", true, false}});
  t.Sites({{"a", true, false}, {"b", false, false}});
  CHECK(t.state.sites.at("b").phase == api::SitePhase::kPending);
}
