// A member changes its keys, without enrolling again.
//
// - steady: the keys are on disk. Begin makes the next keys.
// - made: the keys and the next keys are on disk. member.rotate goes over the link of the old key, signed by it and
//   proved by the new one.
// - certified: the parent has answered. The children of this agent are told the next transport key, which they pin, and
//   given a few heartbeats to say that they have it.
// - granted: member.json names the next keys, which are the keys from then on; the old ones are destroyed, and a new
//   link is made. The parent sees the hello over it, and voids the old certificate: steady again.
//
// In each state a key on disk is one that the parent admits, so a crash anywhere only delays: in `made` and `certified`
// the agent asks again when it is welcomed, and gets the certificate that was issued for the same keys; in `granted` it
// starts with the new keys, which the parent had on disk before it answered (TrustDesk, key_ring.h).
//
// A parent that refuses ends the change; one that cannot be reached delays it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/context.h"
#include "agent/next_key.h"
#include "agent/uplink.h"
#include "core/store/key_ring.h"

namespace ote::agent {

class Rotation {
 public:
  Rotation(Context& context, Uplink& uplink, store::MemberKeys& keys, NextKey& next);

  using Done = std::function<void(Result<void>)>;
  // `done` is called when the parent has welcomed the new keys, or the change has ended without. kUnreachable at once,
  // and nothing was begun, when the parent is not connected. While a change is under way it is joined.
  void Begin(const std::string& request_id, Done done);

 private:
  static constexpr std::chrono::seconds kPatience{10};
  static constexpr std::chrono::seconds kAgain{30};

  bool Made() const { return keys_.next_sign && keys_.next_transport; }
  void Welcomed();
  void Ask();
  void Answered(const Result<wire::Envelope>& answer);
  Result<void> Check(const crypto::Certificate& certificate) const;
  void Install(const crypto::Certificate& certificate);
  Result<void> Take(const crypto::Certificate& certificate);
  void GiveUp(const Error& error);
  void Finish(const Result<void>& result);
  // Of the change that is under way, on disk, so that the request can be seen to be the same after a crash.
  Result<void> KeepRequest(const std::string& request_id);
  Result<std::string> KeptRequest();

  Context& context_;
  Uplink& uplink_;
  store::MemberKeys& keys_;
  NextKey& next_;
  std::vector<Done> waiting_;
  bool asking_ = false;
  Timers::Id again_ = 0;
};

}  // namespace ote::agent
