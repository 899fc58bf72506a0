// The operators of the tree, as far as this agent has been told: the list that its membership holds, checked once and
// looked up by key and by name.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/context.h"
#include "core/api/operator.h"

namespace ote::agent {

class Operators {
 public:
  explicit Operators(Context& context) : context_(context) {}

  // Reads the list that the membership holds now. Those who are off it, or hold another key than before, are cut off at
  // once. A list that does not hold leaves what was known, and is told in the log.
  void Refresh();

  const api::Operator* HolderOf(const Bytes& transport_key) const;
  const api::Operator* Find(const std::string& name) const;
  const api::OperatorBody& List() const noexcept { return list_; }

 private:
  Context& context_;
  api::OperatorBody list_;
  std::map<std::string, const api::Operator*> by_name_;
  std::map<Bytes, const api::Operator*> by_key_;
};

}  // namespace ote::agent
