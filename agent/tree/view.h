// The tree below this agent as it is now (cluster.tree).
#pragma once

#include "agent/context.h"
#include "agent/members.h"
#include "agent/uplink.h"

namespace ote::agent {

class View {
 public:
  View(Context& context, Members& members, Uplink& uplink) : context_(context), members_(members), uplink_(uplink) {}

  void Start();

 private:
  api::TreeView Tree() const;

  Context& context_;
  Members& members_;
  Uplink& uplink_;
};

}  // namespace ote::agent
