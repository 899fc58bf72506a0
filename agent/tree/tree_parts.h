// What an agent does as one of many tiers: passes messages on, tells of those below, of the place of its children and
// of their papers, and lets others join through it. One thread.
#pragma once

#include <optional>

#include "agent/context.h"
#include "agent/members.h"
#include "agent/tree/carrier.h"
#include "agent/tree/enrol_desk.h"
#include "agent/tree/fold_desk.h"
#include "agent/tree/guest_rule.h"
#include "agent/tree/place_desk.h"
#include "agent/tree/relay.h"
#include "agent/tree/relay_trust.h"
#include "agent/tree/route_desk.h"
#include "agent/tree/view.h"
#include "agent/uplink.h"

namespace ote::agent {

class TreeParts {
 public:
  TreeParts(Context& context, Members& members, Uplink& uplink, Transfer& transfer,
            std::function<bool(const std::string&)> needed);

  // Before the members, whose hooks it sets, say anything.
  Result<void> Start();

  // At one that is no root; nullptr at a root.
  const EnrolDesk* enrol() const { return enrol_ ? &*enrol_ : nullptr; }
  const FoldDesk* folds() const { return folds_ ? &*folds_ : nullptr; }
  const Relay& relay() const { return relay_; }
  GuestRule& guest() { return guest_; }

 private:
  Result<void> BeginPulse();
  std::int64_t Pulse() const;

  Context& context_;
  Members& members_;
  Uplink& uplink_;
  Transfer& transfer_;
  GuestRule guest_;
  Relay relay_;
  PlaceDesk places_;
  View view_;
  std::optional<RouteDesk> routes_;  // at one that is no root, as those that follow
  std::optional<RelayTrust> trust_;
  std::optional<EnrolDesk> enrol_;
  std::optional<Carrier> carrier_;
  std::optional<FoldDesk> folds_;
  std::int64_t pulse_ = 0;  // at a root: of its start
};

}  // namespace ote::agent
