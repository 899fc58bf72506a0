// What an agent keeps of an app of a cluster that is reached by files: what was exported for it last, and what came
// back.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/app_carried.h"

namespace ote::agent {

struct CarriedApp {
  static constexpr std::string_view kKind = "app-carried";
  static constexpr std::size_t kMostDigests = 16;
  std::string cluster;
  std::string app;
  std::int64_t sequence = 0;  // of the bundle that was made last
  UnixMillis created = 0;
  std::string content;  // digest of what it was made of: the same is the same bundle
  std::int64_t revision = 0;
  bool gives_up = false;             // it tells the cluster to give the app up
  bool exported = false;             // and is known to be in its place
  std::vector<std::string> digests;  // of the bundles that were made, the newest last
  std::optional<api::AppReport> report;
  std::string receipt;   // digest of the bundle that the report came in
  UnixMillis as_of = 0;  // when it was written, by the clock of the cluster

  std::string Key() const { return KeyOf(cluster, app); }
  static std::string KeyOf(const std::string& cluster, const std::string& app) { return cluster + "/" + app; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("app", self.app, kRequired);
    v("sequence", self.sequence, kRequired);
    v("created", self.created);
    v("content", self.content);
    v("revision", self.revision);
    v("givesUp", self.gives_up);
    v("exported", self.exported);
    v("digests", self.digests);
    v("report", self.report);
    v("receipt", self.receipt);
    v("asOf", self.as_of);
  }
};

}  // namespace ote::agent
