#include "core/tree/alternates.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace ote::tree {
namespace {

constexpr std::int64_t kUncleCost = 10;
constexpr std::int64_t kGrandparentCost = 20;
constexpr std::int64_t kSiblingCost = 30;

// FNV-1a, with the finish of splitmix64: spread over all bits.
std::uint64_t Hashed(std::uint64_t hash, const std::string& text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}
// Of one that asks for its place: the part of the weight that is the same for all candidates.
std::uint64_t Begun(const std::string& who) { return Hashed(0xcbf29ce484222325, who) * 0x100000001b3; }
std::uint64_t Weight(std::uint64_t begun, const std::string& candidate) {
  auto hash = Hashed(begun, candidate);
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
  return hash ^ (hash >> 31);
}

std::vector<api::ParentEntry> Picked(const std::string& who, const std::vector<api::ParentEntry>& from,
                                     std::size_t most) {
  std::vector<std::string> names;
  for (const auto& entry : from) {
    if (entry.name != who) names.push_back(entry.name);
  }
  std::vector<api::ParentEntry> picked;
  for (const auto& name : Meant(who, std::move(names), most)) {
    picked.push_back(*std::ranges::find(from, name, &api::ParentEntry::name));
  }
  return picked;
}

}  // namespace

std::vector<std::size_t> MeantAmong(const std::string& who, const std::vector<std::string>& candidates,
                                    const std::string& but, std::size_t most) {
  const auto begun = Begun(who);
  std::vector<std::pair<std::uint64_t, std::size_t>> weights;
  weights.reserve(candidates.size());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i] != but) weights.emplace_back(Weight(begun, candidates[i]), i);
  }
  most = std::min(most, weights.size());
  std::partial_sort(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(most), weights.end(),
                    [&](const auto& a, const auto& b) {
                      if (a.first != b.first) return a.first > b.first;
                      return candidates[a.second] > candidates[b.second];
                    });
  std::vector<std::size_t> meant;
  for (std::size_t i = 0; i < most; ++i) meant.push_back(weights[i].second);
  return meant;
}

std::vector<std::string> Meant(const std::string& who, std::vector<std::string> candidates, std::size_t most) {
  std::vector<std::string> meant;
  // No cluster has an empty name, so that nobody is left out.
  for (const auto i : MeantAmong(who, candidates, "", most)) meant.push_back(candidates[i]);
  return meant;
}

std::vector<api::ParentEntry> Alternates(const api::TreePlace& place, const std::string& own) {
  std::vector<api::ParentEntry> all;
  const auto add = [&](api::ParentEntry entry, std::int64_t cost) {
    const bool there = std::ranges::find(all, entry.name, &api::ParentEntry::name) != all.end();
    const bool parent = place.self && place.self->name == entry.name;
    if (entry.name == own || there || parent || entry.endpoints.empty()) return;
    entry.cost = cost;
    all.push_back(std::move(entry));
  };
  std::int64_t rank = 0;
  for (const auto& uncle : place.uncles) add(uncle, kUncleCost + rank++);
  if (place.grandparent) add(*place.grandparent, kGrandparentCost);
  rank = 0;
  for (const auto& sibling : Picked(own, place.siblings, kSiblingsEach)) add(sibling, kSiblingCost + rank++);
  return all;
}

api::TreePlace PlaceOf(const std::string& child, const api::TreePlace& above, const api::ParentEntry& self,
                       const std::vector<api::ParentEntry>& siblings) {
  api::TreePlace place;
  place.path = above.path;
  place.path.push_back(self.name);
  place.self = self;
  place.grandparent = above.self;
  place.uncles = Picked(child, above.siblings, kUnclesEach);
  for (const auto& sibling : siblings) {
    if (sibling.name != child) place.siblings.push_back(sibling);
  }
  std::ranges::sort(place.siblings, {}, &api::ParentEntry::name);
  return place;
}

}  // namespace ote::tree
