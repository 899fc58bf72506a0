// Which clusters take an app, and why the others do not. Pure: the same candidates in any order give the same answer.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/api/app_requests.h"
#include "core/api/capacity.h"
#include "core/base/result.h"

namespace ote::tree {

struct Candidate {
  std::string name;
  api::Labels labels;
  bool ready = false;     // there is a way to it now
  bool lost = false;      // away for longer than the app's replaceAfter: given up where it can be replaced
  bool cordoned = false;  // takes nothing new
  bool drained = false;   // and keeps nothing
  bool shim = false;      // has told of something that runs apps; its capacity is known
  bool has_app = false;   // has it already, by an earlier decision
  bool by_hand = false;   // reached by files: neither its shim nor its room is known, and it is never ready
  std::optional<double> round_trip_ms;  // as it was measured along the tree
  api::Capacity capacity;
  api::Capacity used;  // by everything but this app
  api::Capacity held;  // what was set aside for this app when it was placed there
};

struct Placement {
  std::vector<api::PlacementDecision> decisions;  // by cluster
  std::vector<std::string> chosen;                // by cluster
};

// What one cluster needs for all of its replicas.
api::Capacity NeedOf(const api::Workload& workload);
// Why `candidate` has no room for `need`; "" when it has. Kinds of accelerators: "" is any one kind that has enough.
std::string NoRoom(const api::Workload& workload, const Candidate& candidate);

// With placement.replicas: that many clusters, by the strategy; those that have the app keep it as long as nothing is
// against it, so that nothing moves without need. Without: every cluster that matches, also one that is away. Ties go
// by a hash of app and cluster. Fails only for selectors that cannot be read.
//
// One that is reached by files is taken where it matches; with placement.replicas only where it is named, since nobody
// knows when it will have the app.
//
// Scores: the strategy's part is 0 to 100 (spread: the share that is free; binpack: the share that is used; latency and
// cost: 100 for none, falling with the label ote/latency-ms, or what was measured where there is no such label, and
// with the label ote/cost; 0 where nothing is known), and the weight of each preference that holds. With spreadBy, the
// value of the label that has the fewest clusters of the app goes first.
Result<Placement> Place(const api::AppSpec& spec, const std::vector<Candidate>& candidates);

}  // namespace ote::tree
