#include "core/tree/outline.h"

#include <catch2/catch.hpp>

using namespace ote;

namespace {

api::TreeNode Node(const std::string& name, const std::string& via) {
  api::TreeNode node;
  node.cluster.name = name;
  node.via = via;
  return node;
}
std::vector<std::string> Drawn(const std::vector<api::TreeNode>& nodes) {
  std::vector<std::string> lines;
  for (const auto& node : tree::Outline("hq", nodes))
    lines.push_back(std::string(static_cast<std::size_t>(node.depth), ' ') + node.cluster.name);
  return lines;
}

}  // namespace

TEST_CASE("a tree is drawn depth first with names in order, whatever the order in which it is told") {
  CHECK(Drawn({Node("r2", "hq"), Node("b", "r1"), Node("hq", ""), Node("c", "r2"), Node("a", "r1"),
               Node("r1", "hq")}) == std::vector<std::string>{"hq", " r1", "  a", "  b", " r2", "  c"});
}

TEST_CASE("each cluster is drawn once, also one that hangs on nobody who is known, on itself, or in a ring") {
  CHECK(Drawn({Node("hq", ""), Node("lost", "gone"), Node("self", "self"), Node("x", "y"), Node("y", "x"),
               Node("twice", "hq"), Node("twice", "hq")}) ==
        std::vector<std::string>{"hq", " lost", " self", " twice", " y", " x"});
}
