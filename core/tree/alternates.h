// Where a cluster goes when its parent is lost. Pure.
//
// The order, by cost: siblings of the parent (the tree keeps its depth), the grandparent (one tier less, but it would
// carry them all), its own siblings that take children (one tier more). Which siblings of the parent are meant for
// which cluster is settled by rendezvous hashing (Thaler and Ravishankar, 1998), so that the children of one that is
// lost spread evenly, and that those who must admit them can work it out, too.
#pragma once

#include <string>
#include <vector>

#include "core/api/tree.h"

namespace ote::tree {

inline constexpr std::size_t kUnclesEach = 3;
inline constexpr std::size_t kSiblingsEach = 2;

// The `most` of `candidates` that are meant for `who`, the best first. The same everywhere, whatever their order.
std::vector<std::string> Meant(const std::string& who, std::vector<std::string> candidates, std::size_t most);
// The same as places in `candidates`, with `but` left out of these.
std::vector<std::size_t> MeantAmong(const std::string& who, const std::vector<std::string>& candidates,
                                    const std::string& but, std::size_t most);

// The ways that `own` has beside its parent, by cost; each once, none to itself.
std::vector<api::ParentEntry> Alternates(const api::TreePlace& place, const std::string& own);

// What a parent tells its child `child`. `siblings` are the parent's children that take children, by any order;
// `above` is what the parent itself was told.
api::TreePlace PlaceOf(const std::string& child, const api::TreePlace& above, const api::ParentEntry& self,
                       const std::vector<api::ParentEntry>& siblings);

}  // namespace ote::tree
