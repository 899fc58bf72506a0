// Who is below an agent, at whatever depth, and by which child: learned from the children, told further up as changes.
// Pure: no clock, no sockets. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/api/tree.h"

namespace ote::tree {

class Routes {
 public:
  // What a call changed: clusters to be told of (those that are gone are found no longer), and connections that a later
  // one replaced, each by the child under which it is.
  struct Effect {
    std::vector<std::string> changed;
    std::vector<std::pair<std::string, api::Session>> stale;
  };
  struct Below {
    api::RouteEntry entry;
    std::string child;  // the next hop
    bool known = true;  // false: the child is lost, so that nothing is known of it now
  };

  // What a child says of its subtree. A cluster that two children have ready is below the one with the later epoch;
  // one that has it ready goes before one that only remembers it.
  Effect Apply(const std::string& child, const api::RouteChange& change);
  // The child is lost: its subtree is unknown from now on.
  Effect Lose(const std::string& child);
  // It was removed, or hangs on another child now: forgotten with its subtree.
  Effect Forget(const std::string& child);
  // A cluster that is a direct child from now on, by this epoch: what others say of it is over.
  Effect Adopt(const api::Session& session);
  // A removed cluster: whoever claims it.
  Effect Drop(const std::string& name);

  const Below* Find(const std::string& name) const;
  // nullptr when nobody is below it.
  const std::set<std::string>* Under(const std::string& child) const;
  const std::map<std::string, Below>& All() const noexcept { return all_; }

 private:
  void Erase(const std::string& name);
  std::string ChildTowards(const std::string& name) const;
  bool Follows(const std::string& child, const api::RouteEntry& entry) const;
  void Put(const std::string& child, const api::RouteEntry& entry, Effect& effect);
  void Take(const std::string& child, const api::RouteEntry& entry, Effect& effect);
  void BringAlong(const std::string& name, const std::string& from, const std::string& to, Effect& effect);

  std::map<std::string, Below> all_;
  std::map<std::string, std::set<std::string>> by_child_;
  // Children in the middle of a whole list: what they named so far.
  std::map<std::string, std::set<std::string>> naming_;
};

// What has to be told up: which clusters changed since the parent last acknowledged. A batch is in flight at a time.
class RouteFeed {
 public:
  // A new connection: everything of `all` goes again, as a whole list.
  void Begin(std::set<std::string> all);
  void Touch(const std::string& name);
  bool HasNews() const noexcept { return whole_ || !touched_.empty(); }
  // The names of the next batch, at most `most`.
  struct Batch {
    bool whole = false;
    bool more = false;
    std::vector<std::string> names;
  };
  Batch Take(std::size_t most);

 private:
  bool whole_ = false;
  bool in_whole_ = false;
  std::set<std::string> touched_;
};

}  // namespace ote::tree
