#include "agent/access/operators.h"

#include <utility>

#include "core/base/log.h"

namespace ote::agent {

void Operators::Refresh() {
  api::OperatorBody fresh;
  if (context_.membership.operators) {
    auto read = api::CheckOperatorList(*context_.membership.operators, context_.membership.AuthorityKey(), 0);
    if (!read) {
      log::Error("the list of operators does not hold", {{"why", read.error().message}});
      return;
    }
    fresh = std::move(*read);
  }
  const auto before = std::exchange(list_, std::move(fresh));
  by_name_.clear();
  by_key_.clear();
  for (const auto& item : list_.items) {
    by_name_.emplace(item.name, &item);
    by_key_.emplace(item.transport_key, &item);
  }
  for (const auto& item : before.items) {
    if (item.revoked) continue;
    const auto* now = Find(item.name);
    if (now != nullptr && !now->revoked && now->transport_key == item.transport_key) continue;
    log::Info("operator cut off", {{"operator", item.name}});
    context_.transport.Evict(wire::Caller{wire::CallerKind::kOperator, item.name, {}, false});
  }
}

const api::Operator* Operators::HolderOf(const Bytes& transport_key) const {
  const auto it = by_key_.find(transport_key);
  return it == by_key_.end() ? nullptr : it->second;
}

const api::Operator* Operators::Find(const std::string& name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

}  // namespace ote::agent
