// The tree below this agent as it is now, whole or in pages (cluster.tree).
#pragma once

#include <set>
#include <string>

#include "agent/context.h"
#include "agent/members.h"
#include "agent/uplink.h"

namespace ote::agent {

class View {
 public:
  View(Context& context, Members& members, Uplink& uplink) : context_(context), members_(members), uplink_(uplink) {}

  void Start();

 private:
  // Those that `sees` lets through, and by their names alone those that they hang on.
  api::TreePage Tree(const api::PageQuery& query, const Sees& sees) const;
  std::set<std::string> Between(const Sees& sees) const;
  std::string ViaOf(const api::Cluster& cluster) const;

  Context& context_;
  Members& members_;
  Uplink& uplink_;
};

}  // namespace ote::agent
