// What an agent keeps of an app that was deployed from it: its revisions, and how far the newest one has got.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "core/api/app_spec.h"

namespace ote::api {

enum class RevisionOutcome { kRolling, kDone, kStopped, kRolledBack, kSuperseded };
struct AppRevision {
  std::int64_t number = 0;  // ascending, never given twice for a name
  AppSpec spec;
  std::string digest;  // of the spec
  std::string by;
  UnixMillis at = 0;
  std::string note;  // why it was made: "rollback to 3"
  RevisionOutcome outcome = RevisionOutcome::kRolling;
  std::string message;     // of a rollout that stopped
  std::string request_id;  // that it was asked for with

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("number", self.number, kRequired);
    v("spec", self.spec, kRequired);
    v("digest", self.digest, kRequired);
    v("by", self.by);
    v("at", self.at);
    v("note", self.note);
    v("outcome", self.outcome);
    v("message", self.message);
    v("requestId", self.request_id);
  }
};

// Waiting: its wave has not come. Pending: it is away, and catches up when it returns. Leaving: it is to give the app
// up. Overridden: somebody there set it aside.
enum class SitePhase { kWaiting, kPending, kSent, kHealthy, kFailed, kOverridden, kLeaving };
struct RolloutSite {
  std::int64_t sent = 0;  // the revision that it was last told to run; 0 for none
  SitePhase phase = SitePhase::kWaiting;
  bool canary = false;
  bool online = false;
  UnixMillis deadline = 0;  // by when it must be healthy; 0 for none
  std::int64_t order = 0;   // the number of the command that it was last told by
  bool carried = false;     // it was last told by a file, which may or may not have reached it
  std::string message;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("sent", self.sent);
    v("phase", self.phase);
    v("canary", self.canary);
    v("online", self.online);
    v("deadline", self.deadline);
    v("order", self.order);
    v("carried", self.carried);
    v("message", self.message);
  }
  friend bool operator==(const RolloutSite&, const RolloutSite&) = default;
};
// The state of core/tree/rollout.h.
enum class RolloutPhase { kRolling, kDone, kStopped };
struct Rollout {
  std::int64_t revision = 0;  // that is wanted everywhere
  RolloutPhase phase = RolloutPhase::kRolling;
  std::string message;
  RolloutSpec spec;
  std::map<std::string, RolloutSite> sites;  // by cluster

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("revision", self.revision);
    v("phase", self.phase);
    v("message", self.message);
    v("spec", self.spec);
    v("sites", self.sites);
  }
  friend bool operator==(const Rollout&, const Rollout&) = default;
};

struct App {
  static constexpr std::string_view kKind = "app";
  static constexpr std::size_t kKept = 10;  // revisions
  std::string name;
  std::vector<AppRevision> revisions;  // the oldest first; the last is the one that is wanted
  Rollout rollout;
  std::int64_t healthy = 0;  // the last revision that was healthy on all that were there; 0 for none
  bool removed = false;      // kept until every cluster has given it up
  std::int64_t restarts = 0;

  std::string Key() const { return name; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("revisions", self.revisions);
    v("rollout", self.rollout);
    v("healthy", self.healthy);
    v("removed", self.removed);
    v("restarts", self.restarts);
  }
  AppRevision& Newest() { return revisions.back(); }
  const AppRevision& Newest() const { return revisions.back(); }
  const AppRevision* Find(std::int64_t number) const {
    const auto it = std::find_if(revisions.begin(), revisions.end(), [&](const auto& r) { return r.number == number; });
    return it == revisions.end() ? nullptr : &*it;
  }
};

// What the executing side keeps of an app: what is wanted here, by whom, and where to go back to.
struct SiteChange {
  UnixMillis at = 0;
  std::string what;  // set, unset, overridden, rolled back, given back …
  std::int64_t revision = 0;
  std::string by;
  std::string message;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("at", self.at);
    v("what", self.what);
    v("revision", self.revision);
    v("by", self.by);
    v("message", self.message);
  }
};
struct SiteApp {
  static constexpr std::string_view kKind = "site-app";
  static constexpr std::size_t kHistory = 20;
  Assignment wanted;                     // by whoever deployed it
  std::optional<Assignment> overriding;  // what runs in its place, by a local operator
  std::optional<Assignment> applied;     // what the shim was given last; nothing when it was told to stop it
  std::optional<Assignment> healthy;     // the last one that was seen healthy
  std::vector<Assignment> earlier;       // that were healthy before it, the newest last; at most 5
  bool stopped = false;                  // by a local operator
  std::string overridden_by;
  UnixMillis overridden_at = 0;
  std::int64_t rolled_back_from = 0;
  UnixMillis deadline = 0;          // by when what was applied must be healthy; 0 for none
  bool gone = false;                // taken back by who deployed it; forgotten once the shim has stopped it
  std::vector<SiteChange> history;  // the newest last

  std::string Key() const { return wanted.Key(); }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("wanted", self.wanted, kRequired);
    v("overriding", self.overriding);
    v("applied", self.applied);
    v("healthy", self.healthy);
    v("earlier", self.earlier);
    v("stopped", self.stopped);
    v("overriddenBy", self.overridden_by);
    v("overriddenAt", self.overridden_at);
    v("rolledBackFrom", self.rolled_back_from);
    v("deadline", self.deadline);
    v("gone", self.gone);
    v("history", self.history);
  }
};

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::RevisionOutcome> {
  using E = ote::api::RevisionOutcome;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kRolling, "rolling"},
                                                              {E::kDone, "done"},
                                                              {E::kStopped, "stopped"},
                                                              {E::kRolledBack, "rolled-back"},
                                                              {E::kSuperseded, "superseded"}};
};
template <>
struct ote::EnumNames<ote::api::SitePhase> {
  using E = ote::api::SitePhase;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kWaiting, "waiting"}, {E::kPending, "pending"},       {E::kSent, "progressing"}, {E::kHealthy, "healthy"},
      {E::kFailed, "failed"},   {E::kOverridden, "overridden"}, {E::kLeaving, "leaving"}};
};
template <>
struct ote::EnumNames<ote::api::RolloutPhase> {
  using E = ote::api::RolloutPhase;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kRolling, "rolling"}, {E::kDone, "done"}, {E::kStopped, "stopped"}};
};
