// What was asked of an agent, by whom, and how it ended.
#pragma once

#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/codec.h"

namespace ote::api {

enum class AuditOutcome { kDone, kRefused, kFailed };

// Never a body, and never a secret: names, and a code.
struct AuditEntry {
  std::int64_t number = 0;  // 1, 2, 3 … without a gap
  UnixMillis at = 0;        // when it ended
  std::string who;          // "kim@hq": the operator, and the cluster that was asked
  std::string role;
  std::string verb;
  std::vector<std::string> targets;  // at most eight names
  AuditOutcome outcome = AuditOutcome::kDone;
  std::string code;  // "OTE-E0907" when it was refused or failed
  std::string request_id;
  std::string command;   // the id of the durable command that it was, when it was one
  std::string previous;  // the digest of the entry before; "" for the first

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("number", self.number, kRequired);
    v("at", self.at, kRequired);
    v("who", self.who, kRequired);
    v("role", self.role);
    v("verb", self.verb, kRequired);
    v("targets", self.targets);
    v("outcome", self.outcome, kRequired);
    v("code", self.code);
    v("requestId", self.request_id);
    v("command", self.command);
    v("previous", self.previous);
  }
};

struct AuditQuery {
  UnixMillis since = 0;
  std::string who;   // "kim" or "kim@hq"; "" for all
  std::string verb;  // "" for all
  std::int64_t limit = 100;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("since", self.since);
    v("who", self.who);
    v("verb", self.verb);
    v("limit", self.limit);
  }
};
struct AuditList {
  std::vector<AuditEntry> items;  // the newest that were asked for, the oldest of them first
  std::int64_t kept = 0;          // of all
  std::int64_t dropped = 0;       // the oldest, which had to make room
  std::int64_t unwritten = 0;     // since the agent started: no way to write them, or too many refusals of one operator
  bool intact = true;             // the chain holds
  std::string broken;             // where not

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("items", self.items);
    v("kept", self.kept);
    v("dropped", self.dropped);
    v("unwritten", self.unwritten);
    v("intact", self.intact);
    v("broken", self.broken);
  }
};

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::AuditOutcome> {
  using E = ote::api::AuditOutcome;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kDone, "done"}, {E::kRefused, "refused"}, {E::kFailed, "failed"}};
};
