#include "agent/shim/kubernetes/status.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/shim/kubernetes/json.h"
#include "agent/shim/kubernetes/quantity.h"
#include "agent/shim/kubernetes/translate.h"

namespace ote::kube {
namespace {

const Json& ListAt(const Json& json, std::initializer_list<std::string_view> path) {
  static const Json kEmpty = Json::array();
  const Json& list = At(json, path);
  return list.is_array() ? list : kEmpty;
}

// The condition of a type, or null.
const Json& Condition(const Json& object, std::string_view type) {
  static const Json kNull;
  for (const Json& condition : ListAt(object, {"status", "conditions"})) {
    if (TextAt(condition, {"type"}) == type) return condition;
  }
  return kNull;
}
bool Holds(const Json& object, std::string_view type) { return TextAt(Condition(object, type), {"status"}) == "True"; }

// cpu, memory, ephemeral-storage, and what has a vendor's name: nvidia.com/gpu, amd.com/gpu.
api::Capacity ReadCapacity(const Json& resources) {
  api::Capacity out;
  if (!resources.is_object()) return out;
  for (const auto& [name, value] : resources.items()) {
    if (name == "cpu") out.cpu_milli = MilliOf(value);
    if (name == "memory") out.memory = UnitsOf(value);
    if (name == "ephemeral-storage") out.disk = UnitsOf(value);
    const bool extended = name.find('/') != name.npos && name.find("kubernetes.io/") == name.npos;
    if (extended) out.accelerators[name] = UnitsOf(value);
  }
  return out;
}

void Most(api::Capacity& a, const api::Capacity& b) {
  a.cpu_milli = std::max(a.cpu_milli, b.cpu_milli);
  a.memory = std::max(a.memory, b.memory);
  a.disk = std::max(a.disk, b.disk);
  for (const auto& [name, count] : b.accelerators) a.accelerators[name] = std::max(a.accelerators[name], count);
}

// What the scheduler counts: all containers together, or the one that comes before them if it asks for more.
api::Capacity Asks(const Json& pod) {
  api::Capacity sum;
  for (const Json& container : ListAt(pod, {"spec", "containers"})) {
    Sum(sum, ReadCapacity(At(container, {"resources", "requests"})));
  }
  for (const Json& container : ListAt(pod, {"spec", "initContainers"})) {
    const auto asks = ReadCapacity(At(container, {"resources", "requests"}));
    if (TextAt(container, {"restartPolicy"}) == "Always") {
      Sum(sum, asks);
    } else {
      Most(sum, asks);
    }
  }
  Sum(sum, ReadCapacity(At(pod, {"spec", "overhead"})));
  return sum;
}

// A reason that waits for somebody to do something.
bool IsStuck(std::string_view reason) {
  for (const std::string_view known :
       {"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull",
        "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"}) {
    if (reason == known) return true;
  }
  return false;
}

std::string Reasoned(const std::string& reason, const std::string& message) {
  if (reason.empty() || message.empty()) return reason + message;
  return reason + ": " + message;
}

void ReadContainers(const Json& pod, std::string_view list, PodFacts& out) {
  for (const Json& container : ListAt(pod, {"status", list})) {
    out.status.restarts += NumberAt(container, {"restartCount"});
    const std::string reason = TextAt(container, {"state", "waiting", "reason"});
    if (IsStuck(reason)) out.stuck = true;
    const std::string name = TextAt(container, {"name"});
    if (!reason.empty() && reason != "PodInitializing" && out.status.message.empty()) {
      out.status.message =
          fmt::format("{}: {}", name, Reasoned(reason, TextAt(container, {"state", "waiting", "message"})));
      if (const Json& last = At(container, {"lastState", "terminated"}); last.is_object()) {
        out.status.message +=
            fmt::format(" (it exited with {}{})", NumberAt(last, {"exitCode"}),
                        Reasoned(TextAt(last, {"reason"}).empty() ? "" : ", ", TextAt(last, {"reason"})));
      }
    }
    const Json& ended = At(container, {"state", "terminated"});
    if (ended.is_object() && NumberAt(ended, {"exitCode"}) != 0 && out.status.message.empty()) {
      out.status.message =
          fmt::format("{}: {} (it exited with {})", name,
                      Reasoned(TextAt(ended, {"reason"}), TextAt(ended, {"message"})), NumberAt(ended, {"exitCode"}));
    }
  }
}

// How many of the pods the controller itself makes new: not those that wait to be deleted, or for a canary to do well.
std::int64_t ToUpdate(const Json& object, std::int64_t wanted) {
  const Json& strategy = At(object, {"spec", "updateStrategy"});
  if (TextAt(strategy, {"type"}) == "OnDelete") return 0;
  return std::max<std::int64_t>(0, wanted - NumberAt(strategy, {"rollingUpdate", "partition"}));
}

}  // namespace

void Sum(api::Capacity& total, const api::Capacity& more) {
  const auto add = [](std::int64_t& a, std::int64_t b) {
    if (__builtin_add_overflow(a, b, &a)) a = INT64_MAX;
  };
  add(total.cpu_milli, more.cpu_milli);
  add(total.memory, more.memory);
  add(total.disk, more.disk);
  for (const auto& [name, count] : more.accelerators) add(total.accelerators[name], count);
}

PodFacts ReadPod(const Json& pod) {
  PodFacts out;
  out.uid = TextAt(pod, {"metadata", "uid"});
  out.name_space = TextAt(pod, {"metadata", "namespace"});
  out.name = TextAt(pod, {"metadata", "name"});
  out.app = TextAt(pod, {"metadata", "labels", kAppLabel});
  out.node = TextAt(pod, {"spec", "nodeName"});
  out.owned = !ListAt(pod, {"metadata", "ownerReferences"}).empty();
  out.deleting = !TextAt(pod, {"metadata", "deletionTimestamp"}).empty();
  const std::string phase = TextAt(pod, {"status", "phase"});
  const bool ended = phase == "Succeeded" || phase == "Failed";
  out.running = !out.node.empty() && !ended;
  out.ready = Holds(pod, "Ready") && !out.deleting && !ended;
  out.asks = Asks(pod);
  auto& status = out.status;
  status.name = out.name;
  status.node = out.node;
  status.since = TimeOf(TextAt(Condition(pod, "Ready"), {"lastTransitionTime"}));
  if (status.since == 0) status.since = TimeOf(TextAt(pod, {"metadata", "creationTimestamp"}));
  ReadContainers(pod, "initContainerStatuses", out);
  ReadContainers(pod, "containerStatuses", out);
  const Json& scheduled = Condition(pod, "PodScheduled");
  if (TextAt(scheduled, {"status"}) == "False" && status.message.empty()) {
    status.message = Reasoned(TextAt(scheduled, {"reason"}), TextAt(scheduled, {"message"}));
  }
  if (status.message.empty()) {
    status.message = Reasoned(TextAt(pod, {"status", "reason"}), TextAt(pod, {"status", "message"}));
  }
  // A pod of which the node no longer tells is not healthy, whatever it said last.
  if (phase == "Unknown") out.ready = false;
  status.phase = out.ready || phase == "Succeeded" ? api::AppPhase::kHealthy
                 : phase == "Failed"               ? api::AppPhase::kFailed
                 : out.stuck                       ? api::AppPhase::kDegraded
                 : phase == "Pending"              ? api::AppPhase::kPending
                                                   : api::AppPhase::kProgressing;
  return out;
}

WorkFacts ReadWork(const Json& object) {
  WorkFacts out;
  const std::string kind = TextAt(object, {"kind"});
  out.uid = TextAt(object, {"metadata", "uid"});
  out.name_space = TextAt(object, {"metadata", "namespace"});
  out.app = TextAt(object, {"metadata", "labels", kAppLabel});
  out.label = kind + " " + TextAt(object, {"metadata", "name"});
  out.generation = NumberAt(object, {"metadata", "generation"});
  const bool seen = NumberAt(object, {"status", "observedGeneration"}) >= NumberAt(object, {"metadata", "generation"});
  if (kind == "DaemonSet") {
    out.wanted = NumberAt(object, {"status", "desiredNumberScheduled"});
    out.ready = NumberAt(object, {"status", "numberReady"});
    out.current = seen && NumberAt(object, {"status", "updatedNumberScheduled"}) >= ToUpdate(object, out.wanted);
  } else if (kind == "Job") {
    out.wanted = NumberAt(object, {"spec", "completions"}, 1);
    out.ready = NumberAt(object, {"status", "ready"}) + NumberAt(object, {"status", "succeeded"});
    out.current = true;
    if (Holds(object, "Complete")) out.ready = out.wanted;
    if (Holds(object, "Failed")) {
      const Json& condition = Condition(object, "Failed");
      out.failed = Reasoned(TextAt(condition, {"reason"}), TextAt(condition, {"message"}));
      if (out.failed.empty()) out.failed = "the job failed";
    }
  } else {
    out.wanted = NumberAt(object, {"spec", "replicas"}, 1);
    out.ready = NumberAt(object, {"status", "readyReplicas"});
    const std::int64_t updated = NumberAt(object, {"status", "updatedReplicas"});
    out.current = seen && updated >= ToUpdate(object, out.wanted);
    if (kind == "Deployment") out.current = out.current && NumberAt(object, {"status", "replicas"}) <= updated;
    const Json& progress = Condition(object, "Progressing");
    if (seen && TextAt(progress, {"reason"}) == "ProgressDeadlineExceeded") {
      out.failed = Reasoned(TextAt(progress, {"reason"}), TextAt(progress, {"message"}));
    }
    const Json& refused = Condition(object, "ReplicaFailure");
    if (seen && TextAt(refused, {"status"}) == "True") {
      out.failed = Reasoned(TextAt(refused, {"reason"}), TextAt(refused, {"message"}));
    }
  }
  out.ready = std::min(out.ready, out.wanted);
  return out;
}

api::NodeStatus ReadNode(const Json& node) {
  api::NodeStatus out;
  out.name = TextAt(node, {"metadata", "name"});
  out.ready = Holds(node, "Ready");
  const Json& usable = At(node, {"status", "allocatable"});
  out.capacity = ReadCapacity(usable.is_object() ? usable : At(node, {"status", "capacity"}));
  out.version = TextAt(node, {"status", "nodeInfo", "kubeletVersion"});
  if (const Json& labels = At(node, {"metadata", "labels"}); labels.is_object()) {
    for (const auto& [key, value] : labels.items()) {
      if (value.is_string()) out.labels[key] = value.get<std::string>();
    }
  }
  const Json& ready = Condition(node, "Ready");
  if (!out.ready) {
    out.message = Reasoned(TextAt(ready, {"reason"}), TextAt(ready, {"message"}));
    if (out.message.empty()) out.message = "its kubelet does not tell";
  } else if (At(node, {"spec", "unschedulable"}) == Json(true)) {
    out.message = "it takes no new pods (cordoned)";
  } else {
    for (const std::string_view pressure : {"MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"}) {
      if (Holds(node, pressure)) out.message = pressure;
    }
  }
  return out;
}

api::ClusterEvent ReadEvent(const Json& event) {
  api::ClusterEvent out;
  // Of the three times an event may have, the latest; old and new writers fill different ones.
  out.at = TimeOf(TextAt(event, {"series", "lastObservedTime"}));
  if (out.at == 0) out.at = TimeOf(TextAt(event, {"lastTimestamp"}));
  if (out.at == 0) out.at = TimeOf(TextAt(event, {"eventTime"}));
  if (out.at == 0) out.at = TimeOf(TextAt(event, {"metadata", "creationTimestamp"}));
  out.kind = TextAt(event, {"reason"});
  const std::string kind = TextAt(event, {"involvedObject", "kind"});
  out.subject = kind + "/" + TextAt(event, {"involvedObject", "name"});
  out.message = TextAt(event, {"message"}).substr(0, 2000);
  out.warning = TextAt(event, {"type"}) == "Warning";
  out.count = std::max<std::int64_t>(1, std::max(NumberAt(event, {"count"}), NumberAt(event, {"series", "count"})));
  return out;
}

Behind BehindOf(const AppFacts& facts, const std::vector<WorkFacts>& work, const std::vector<PodFacts>& pods,
                const std::set<std::string>& seen) {
  Behind out;
  for (const auto& expected : facts.expected) {
    const auto w = std::find_if(work.begin(), work.end(), [&](const WorkFacts& f) { return f.uid == expected.uid; });
    const bool pod = std::any_of(pods.begin(), pods.end(), [&](const PodFacts& f) { return f.uid == expected.uid; });
    if (w != work.end()) {
      out.old = out.old || w->generation < expected.generation;
    } else if (!pod && (expected.lasting || !seen.contains(expected.uid))) {
      out.missing = true;
    }
  }
  return out;
}

api::AppStatus StatusOf(const AppFacts& facts, const std::vector<WorkFacts>& work, const std::vector<PodFacts>& pods,
                        const Behind& behind) {
  api::AppStatus out;
  out.app = facts.app;
  out.from = facts.from;
  out.revision = facts.revision;
  bool current = true;
  bool stuck = false;
  for (const WorkFacts& w : work) {
    out.wanted += w.wanted;
    out.healthy += w.ready;
    current = current && w.current;
    if (!w.failed.empty() && out.message.empty()) out.message = w.label + ": " + w.failed;
  }
  const bool gave_up = !out.message.empty();
  for (const PodFacts& pod : pods) {
    if (pod.deleting) continue;
    if (!pod.owned) {
      ++out.wanted;
      if (pod.status.phase == api::AppPhase::kHealthy) ++out.healthy;
    }
    stuck = stuck || pod.stuck || pod.status.phase == api::AppPhase::kFailed;
    if (out.message.empty() && pod.status.phase != api::AppPhase::kHealthy && !pod.status.message.empty()) {
      out.message = pod.name + ": " + pod.status.message;
    }
    out.replicas.push_back(pod.status);
  }
  std::sort(out.replicas.begin(), out.replicas.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  if (!facts.error.empty()) {
    out.message = facts.error;
    out.code = facts.code;
    out.phase = facts.failed ? api::AppPhase::kFailed : api::AppPhase::kPending;
  } else if (!facts.applied) {
    out.phase = api::AppPhase::kPending;
  } else if (gave_up && !behind.old) {
    out.phase = api::AppPhase::kFailed;
    out.code = Error{ErrorId::kKubeFailed, "", ""}.Code();
  } else if (behind.missing || behind.old) {
    out.phase = api::AppPhase::kProgressing;
    out.message = behind.missing ? "not all of its objects are there" : "";
  } else if (out.healthy >= out.wanted && current) {
    out.phase = facts.drift.empty() ? api::AppPhase::kHealthy : api::AppPhase::kDegraded;
    out.message = facts.drift;
    out.code = facts.code;
  } else {
    out.phase = stuck ? api::AppPhase::kDegraded : api::AppPhase::kProgressing;
  }
  return out;
}

}  // namespace ote::kube
