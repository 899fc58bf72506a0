// What an operator may ask for: one table, verb by verb. What is not in it is refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/cluster.h"
#include "core/api/operator.h"
#include "core/tree/selector.h"

namespace ote::agent {

// Whom a verb is about, and so what an operator with a scope may do with it.
enum class Reach {
  kNobody,    // tells nothing of any cluster but its name
  kHere,      // the agent that is asked
  kNamed,     // the clusters that the body names
  kList,      // all that the agent knows: the answer is filtered
  kShown,     // the same, and the handler leaves out what the caller does not see (Request::Seen)
  kApp,       // the clusters that have the app of that name, but where others are named: the handler does it to those
              // that the caller sees
  kWholeApp,  // the same, but all of them or none
  kTree,      // the tree as a whole, or what belongs to no cluster: only for those without a scope
};

// What goes into the audit. Refusals always do.
enum class Trace {
  kRead,    // where the agent is told to write down reads too
  kChange,  // always
  kPiece,   // never: one of many parts of something that is written down as a whole
};

struct Rule {
  std::string_view verb;
  api::OperatorRole least;
  Reach reach;
  Trace trace;
  // kNamed: the field of the body that names a cluster, beside `cluster`, `clusters` and `selector`, which always do.
  // kList: the field of an item of the answer that names its cluster.
  std::string_view field;
};

// nullptr for a verb that is not in the table.
const Rule* RuleOf(std::string_view verb) noexcept;
const std::vector<Rule>& AllRules();

// Of a durable command, which is executed for an operator at a cluster below the one that was asked. Verbs that are not
// known to be less are for admins.
api::OperatorRole LeastForCommand(std::string_view verb) noexcept;

// A cluster that a request is about, as this agent knows it.
struct Target {
  std::string name;
  api::Labels labels;
  bool known = true;  // nothing can be said of the others, so no scope covers them
};

// What an operator may reach. An operator whose scope cannot be read reaches nothing.
class Scope {
 public:
  explicit Scope(const std::string& text);
  bool Everything() const noexcept { return everything_; }
  bool Covers(const std::string& name, const api::Labels& labels) const {
    return everything_ || selector_.Matches(name, labels);
  }

 private:
  bool everything_ = false;
  tree::Selector selector_;
};

// kOutOfScope, which says who, their role and what, unless the operator's role is at least that of the rule and the
// scope covers each target. `rule` is nullptr for a verb that is not in the table.
Result<void> Authorise(std::string_view verb, const Rule* rule, const api::Operator& who,
                       const std::vector<Target>& targets);

}  // namespace ote::agent
