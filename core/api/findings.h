// What an examination of a cluster found; doctor.check answers with what only the running agent knows.
#pragma once

#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/codec.h"

namespace ote::api {

enum class FindingLevel { kOk, kWarning, kProblem };

struct Finding {
  std::string check;  // clock, ports, keys, disk, store, certificate, parent, agent, shim, logs, isolation, limits
  FindingLevel level = FindingLevel::kOk;
  std::string what;
  std::string why;
  std::string todo;  // a command, where there is one

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("check", self.check, kRequired);
    v("level", self.level, kRequired);
    v("what", self.what, kRequired);
    v("why", self.why);
    v("do", self.todo);
  }
  friend bool operator==(const Finding&, const Finding&) = default;
};

// Of the copy of the log that is sent away.
struct ShipStatus {
  std::string url;
  std::int64_t sent = 0;      // records, since the agent started
  std::int64_t waiting = 0;   // records in the spool
  std::int64_t bytes = 0;     // of the spool
  std::int64_t dropped = 0;   // records that the full spool gave up
  std::int64_t refused = 0;   // records that the other side does not take
  std::int64_t failures = 0;  // batches that had to be sent again
  UnixMillis last_sent = 0;
  std::string message;  // why it does not get on; "" when it does

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("url", self.url);
    v("sent", self.sent);
    v("waiting", self.waiting);
    v("bytes", self.bytes);
    v("dropped", self.dropped);
    v("refused", self.refused);
    v("failures", self.failures);
    v("lastSent", self.last_sent);
    v("message", self.message);
  }
};

struct Findings {
  std::vector<Finding> items;
  std::string metrics;             // where they are served; "" when nowhere
  std::optional<ShipStatus> ship;  // absent when no copy is sent

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("items", self.items, kRequired);
    v("metrics", self.metrics);
    v("ship", self.ship);
  }
};

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::FindingLevel> {
  using E = ote::api::FindingLevel;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kOk, "ok"}, {E::kWarning, "warning"}, {E::kProblem, "problem"}};
};
