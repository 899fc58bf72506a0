// Tells the tier above who is below this agent: everything after each hello, then each change. Changes that happen
// while too many batches are on their way go together. One thread.
#pragma once

#include <memory>
#include <string>

#include "agent/context.h"
#include "agent/members.h"
#include "agent/uplink.h"
#include "core/tree/routes.h"

namespace ote::agent {

class RouteDesk {
 public:
  RouteDesk(Context& context, Members& members, Uplink& uplink)
      : context_(context), members_(members), uplink_(uplink) {}

  void Start();

 private:
  void Begin();
  void Send();

  Context& context_;
  Members& members_;
  Uplink& uplink_;
  tree::RouteFeed feed_;
  std::shared_ptr<int> session_ = std::make_shared<int>(0);  // counts the hellos; answers to earlier ones say nothing
  int in_flight_ = 0;
};

}  // namespace ote::agent
