// Durable commands: an id, a deadline, one outcome a cluster.
#pragma once

#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/codec.h"

namespace ote::api {

enum class CommandPhase { kQueued, kSent, kAcknowledged, kDone, kFailed, kExpired };

// What one cluster is to do. At most once: the executing side remembers the id until well after the deadline.
struct Command {
  std::string id;      // unique within the issuing agent
  std::string issuer;  // the cluster that issued it; outcomes go there
  std::string verb;    // of the executing side, such as app.set
  Json body = Json::object();
  std::string by;  // operator
  UnixMillis issued_at = 0;
  UnixMillis deadline = 0;  // by the issuer's clock; 0 for none
  std::string replaces;     // a queued command of the same issuer and key is dropped for this one; "" for none
  std::int64_t ttl_ms = 0;  // what is left of the deadline when it is sent: clocks need not agree

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("id", self.id, kRequired);
    v("issuer", self.issuer, kRequired);
    v("verb", self.verb, kRequired);
    v("body", self.body);
    v("by", self.by);
    v("issuedAt", self.issued_at);
    v("deadline", self.deadline);
    v("replaces", self.replaces);
    v("ttlMs", self.ttl_ms);
  }
};
struct CommandOutcome {
  std::string id;
  std::string issuer;
  std::string cluster;
  CommandPhase phase = CommandPhase::kQueued;
  UnixMillis at = 0;
  Json result = Json::object();  // done
  std::string code;              // failed
  std::string message;
  std::string hint;

  bool Over() const noexcept {
    return phase == CommandPhase::kDone || phase == CommandPhase::kFailed || phase == CommandPhase::kExpired;
  }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("id", self.id, kRequired);
    v("issuer", self.issuer, kRequired);
    v("cluster", self.cluster, kRequired);
    v("phase", self.phase, kRequired);
    v("at", self.at);
    v("result", self.result);
    v("code", self.code);
    v("message", self.message);
    v("hint", self.hint);
  }
};

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::CommandPhase> {
  using E = ote::api::CommandPhase;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kQueued, "queued"}, {E::kSent, "sent"},     {E::kAcknowledged, "acknowledged"},
      {E::kDone, "done"},     {E::kFailed, "failed"}, {E::kExpired, "expired"}};
};
