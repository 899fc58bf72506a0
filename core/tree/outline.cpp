#include "core/tree/outline.h"

#include <algorithm>
#include <map>
#include <utility>

namespace ote::tree {

std::vector<api::TreeNode> Outline(const std::string& self, std::vector<api::TreeNode> nodes) {
  std::sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a.cluster.name < b.cluster.name; });
  std::map<std::string, std::size_t> known;
  for (std::size_t i = 0; i < nodes.size(); ++i) known.emplace(nodes[i].cluster.name, i);
  std::map<std::string, std::vector<std::size_t>> below;
  for (const auto& [name, i] : known) {
    if (name == self) continue;
    const bool found = known.contains(nodes[i].via) && nodes[i].via != name;
    below[found ? nodes[i].via : self].push_back(i);
  }
  std::vector<api::TreeNode> drawn;
  drawn.reserve(nodes.size());
  const auto draw = [&](std::size_t i, std::int64_t depth) {
    drawn.push_back(std::move(nodes[i]));
    drawn.back().depth = depth;
  };
  std::vector<std::pair<std::size_t, std::int64_t>> todo;  // the last is next
  const auto push = [&](const std::string& via, std::int64_t depth) {
    const auto node = below.extract(via);
    if (node.empty()) return;
    for (auto it = node.mapped().rbegin(); it != node.mapped().rend(); ++it) todo.emplace_back(*it, depth);
  };
  if (const auto it = known.find(self); it != known.end()) draw(it->second, 0);
  push(self, 1);
  while (!todo.empty()) {
    const auto [i, depth] = todo.back();
    todo.pop_back();
    draw(i, depth);
    push(drawn.back().cluster.name, depth + 1);
  }
  for (const auto& [via, ring] : below) {
    for (const auto i : ring) draw(i, 1);
  }
  return drawn;
}

}  // namespace ote::tree
