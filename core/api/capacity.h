// What a cluster has and uses, as its shim finds it, and what happened there.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/api/cluster.h"
#include "core/base/clock.h"
#include "core/base/codec.h"

namespace ote::api {

// Whole units: thousandths of a core, bytes, devices.
struct Capacity {
  std::int64_t cpu_milli = 0;
  std::int64_t memory = 0;
  std::int64_t disk = 0;
  std::map<std::string, std::int64_t> accelerators;  // by kind, such as nvidia.com/gpu

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cpuMilli", self.cpu_milli);
    v("memory", self.memory);
    v("disk", self.disk);
    v("accelerators", self.accelerators);
  }
  friend bool operator==(const Capacity&, const Capacity&) = default;
};

struct NodeStatus {
  std::string name;
  bool ready = false;
  Capacity capacity;
  Capacity used;
  Labels labels;
  std::string version;  // of what runs there: a kernel, a kubelet
  std::string message;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("ready", self.ready);
    v("capacity", self.capacity);
    v("used", self.used);
    v("labels", self.labels);
    v("version", self.version);
    v("message", self.message);
  }
  friend bool operator==(const NodeStatus&, const NodeStatus&) = default;
};

// Of a whole cluster: the sums over its nodes, and which shim tells it.
struct ShimStatus {
  std::string shim;     // process, kubernetes, or the name of a program's
  std::string version;  // of what it drives: v1.28.2+k3s1
  bool healthy = true;
  std::string message;
  Capacity capacity;
  Capacity used;
  std::vector<NodeStatus> nodes;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("shim", self.shim, kRequired);
    v("version", self.version);
    v("healthy", self.healthy);
    v("message", self.message);
    v("capacity", self.capacity);
    v("used", self.used);
    v("nodes", self.nodes);
  }
  friend bool operator==(const ShimStatus&, const ShimStatus&) = default;
};

struct ClusterEvent {
  UnixMillis at = 0;
  std::string kind;     // started, exited, unhealthy, Pulled, BackOff …
  std::string subject;  // app, replica, node
  std::string message;
  bool warning = false;
  std::int64_t count = 1;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("at", self.at, kRequired);
    v("kind", self.kind, kRequired);
    v("subject", self.subject);
    v("message", self.message);
    v("warning", self.warning);
    v("count", self.count);
  }
  friend bool operator==(const ClusterEvent&, const ClusterEvent&) = default;
};

}  // namespace ote::api
