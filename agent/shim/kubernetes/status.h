// What objects of the API tell of a cluster and its apps. Pure.
#pragma once

#include <map>
#include <set>
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
  std::string uid, name_space, app, label;  // "Deployment web"
  std::int64_t wanted = 0;
  std::int64_t ready = 0;
  std::int64_t generation = 0;
  bool current = false;  // the controller has seen what is wanted, and all replicas are of it
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
  struct Expected {
    std::string uid;
    std::int64_t generation = 0;
    bool lasting = true;  // not a Job, which may go when it has ended
  };
  std::set<std::string> spaces;    // the namespaces that it is in: agents of two trees may name apps alike
  std::vector<Expected> expected;  // what makes pods, and pods
  std::string error, code;         // of the last apply
  bool failed = false;             // what time does not heal
  std::string drift;               // why what somebody changed since it was applied could not be set right
};
// What of it is not as it was applied: not seen yet in that generation, or removed by somebody else.
struct Behind {
  bool missing = false;  // something that should last is not there
  bool old = false;      // something is there as it was before the last apply
};
// `seen` are UIDs that were there once.
Behind BehindOf(const AppFacts& facts, const std::vector<WorkFacts>& work, const std::vector<PodFacts>& pods,
                const std::set<std::string>& seen);
// Without `since`.
api::AppStatus StatusOf(const AppFacts& facts, const std::vector<WorkFacts>& work, const std::vector<PodFacts>& pods,
                        const Behind& behind);

void Sum(api::Capacity& total, const api::Capacity& more);

}  // namespace ote::kube
