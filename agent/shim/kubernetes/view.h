// What goes on in a cluster, from watches: nodes, pods, what makes pods, events. Lives in the thread of the API.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/shim/kubernetes/status.h"
#include "agent/shim/kubernetes/watch.h"
#include "core/base/clock.h"

namespace ote::kube {

class View {
 public:
  struct Hooks {
    std::function<void(const api::AppStatus&)> app;  // that differs from the one before
    std::function<void(const api::ShimStatus&)> cluster;
    std::function<void(const api::ClusterEvent&)> happened;
    std::function<void(const std::string& name)> missing;  // objects of an app are gone; may be told often
  };

  View(Api& api, Hooks hooks);
  ~View();
  // Before the API stops: what breaks from then on is no news. Any thread.
  void Quiet() { quiet_ = true; }
  // All that follows in the thread of the API.
  void Start();
  // By NameOfKey; nothing is told of what is not tracked.
  void Track(const std::string& name, AppFacts facts);
  void Forget(const std::string& name);

 private:
  struct Tracked {
    AppFacts facts;
    api::AppStatus told;
    std::set<std::string> seen;  // UIDs of its objects that were there once
    bool ever = false;
  };
  template <class T>
  struct Mirror {
    std::map<std::string, T> all;  // by UID
    std::set<std::string> seen;    // in the list that is being read
    bool ready = false;            // was listed once
  };

  void WatchNodes();
  void WatchPods();
  void WatchWork(const std::string& path);
  void WatchEvents();
  std::function<void(const Error*)> HealthOf(const std::string& what);
  bool IsIll(const std::string& what) const;
  void AskVersion();
  void AskMetrics();
  void TakeMetrics(const Json& list);
  void TakeEvent(const Json& event);
  void TouchApp(const std::string& name);
  bool IsOurs(const std::string& app, const std::string& name_space) const;
  void Soon();
  void Flush();
  void TellApp(const std::string& name, Tracked& tracked);
  api::ShimStatus Cluster() const;
  void Every(std::chrono::milliseconds delay, std::function<void()> fn);

  Api& api_;
  Hooks hooks_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
  std::atomic<bool> quiet_{false};
  std::vector<std::unique_ptr<Watch>> watches_;
  UnixMillis began_ = SystemClock().WallNow();
  std::map<std::string, std::int64_t> told_events_;  // by uid, how often each had happened; bounded
  Mirror<api::NodeStatus> nodes_;
  Mirror<PodFacts> pods_;
  std::map<std::string, Mirror<WorkFacts>> work_;  // by path
  std::map<std::string, api::Capacity> measured_;  // by node, from the metrics API
  std::map<std::string, std::string> ill_;         // watches that do not work, and why
  std::map<std::string, Tracked> apps_;
  std::set<std::string> dirty_;
  bool cluster_dirty_ = true;
  bool flush_due_ = false;
  std::string version_;
  api::ShimStatus told_;
  bool ever_told_ = false;
};

}  // namespace ote::kube
