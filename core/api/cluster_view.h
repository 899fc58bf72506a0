// One cluster as the agent that is asked knows it: who it is, what it told of itself, and what was asked of it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/api/app.h"
#include "core/api/capacity.h"
#include "core/api/cluster.h"
#include "core/api/line.h"

namespace ote::api {

struct ClusterView {
  Cluster cluster;
  std::optional<ShimStatus> shim;  // none: it is a relay only, or has told nothing yet
  std::optional<LineStatus> line;  // to whom it hangs on
  std::vector<AppStatus> apps;
  std::vector<ClusterEvent> events;  // the newest first
  std::int64_t events_dropped = 0;   // older ones that made room, ever
  UnixMillis fresh_at = 0;           // when shim, apps and events were last known to be all and true; 0 when never
  std::map<std::string, std::int64_t> commands;  // issued here for it: how many in each phase

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("shim", self.shim);
    v("line", self.line);
    v("apps", self.apps);
    v("events", self.events);
    v("eventsDropped", self.events_dropped);
    v("freshAt", self.fresh_at);
    v("commands", self.commands);
  }
};

}  // namespace ote::api
