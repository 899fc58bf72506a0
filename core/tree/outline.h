// The order in which a tree is drawn, from whom each cluster says that it hangs on.
#pragma once

#include <string>
#include <vector>

#include "core/api/tree.h"

namespace ote::tree {

// Puts them depth first with names in order, and sets their depths: `self` first, with 0. Each is put out once,
// whatever they say of each other while they move: one whose `via` is not among them hangs on `self`, and those that
// hang on each other in a ring stand last, with the depth 1.
std::vector<api::TreeNode> Outline(const std::string& self, std::vector<api::TreeNode> nodes);

}  // namespace ote::tree
