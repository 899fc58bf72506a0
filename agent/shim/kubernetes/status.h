// What objects of the API tell of a cluster and its apps. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/api/app.h"
#include "core/api/capacity.h"

namespace ote::kube {

struct PodFacts {
  std::string uid, name_space, name, app, node;
  bool owned = false;    // by a controller
  bool running = false;  // it takes resources of its node
  bool deleting = false;
  bool ready = false;
  bool stuck = false;  // it waits for what will not come by itself: an image, a start that fails again and again
  api::ReplicaStatus status;
  api::Capacity asks;
};
PodFacts ReadPod(const Json& pod);

struct WorkFacts {
  std::string uid, app, label;  // "Deployment web"
  std::int64_t wanted = 0;
  std::int64_t ready = 0;
  bool current = false;  // the controller has seen what is wanted, and all replicas are of it
  bool lasting = true;   // not a Job, which may go when it has ended
  std::string failed;    // why the controller gave up
};
// Of a Deployment, StatefulSet, DaemonSet or Job.
WorkFacts ReadWork(const Json& object);

// With what apps may use of it as its capacity. Ready only when the node itself says so.
api::NodeStatus ReadNode(const Json& node);
api::ClusterEvent ReadEvent(const Json& event);

// What we know of an app beside its objects.
struct AppFacts {
  std::string app, from;
  std::int64_t revision = 0;
  bool applied = false;
  std::size_t expected = 0;  // Deployments, StatefulSets and DaemonSets that it has
  std::string error, code;   // of the last apply
  bool failed = false;       // what time does not heal
};
// How many of its lasting objects are not there: somebody else removed them.
std::size_t MissingOf(const AppFacts& facts, const std::vector<WorkFacts>& work);
// Without `since`.
api::AppStatus StatusOf(const AppFacts& facts, const std::vector<WorkFacts>& work, const std::vector<PodFacts>& pods);

void Sum(api::Capacity& total, const api::Capacity& more);

}  // namespace ote::kube
