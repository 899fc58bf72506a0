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
std::uint64_t Weight(const std::string& who, const std::string& candidate) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&hash](unsigned char byte) { hash = (hash ^ byte) * 0x100000001b3; };
  for (const char c : who) add(static_cast<unsigned char>(c));
  add(0);
  for (const char c : candidate) add(static_cast<unsigned char>(c));
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

std::vector<std::string> Meant(const std::string& who, std::vector<std::string> candidates, std::size_t most) {
  std::ranges::sort(candidates, [&](const std::string& a, const std::string& b) {
    return std::pair(Weight(who, b), b) < std::pair(Weight(who, a), a);
  });
  if (candidates.size() > most) candidates.resize(most);
  return candidates;
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
