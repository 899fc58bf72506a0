#include "agent/shim/kubernetes/view.h"

#include <algorithm>

#include "agent/shim/kubernetes/json.h"
#include "agent/shim/kubernetes/quantity.h"
#include "agent/shim/kubernetes/translate.h"
#include "core/base/clock.h"
#include "core/base/log.h"

namespace ote::kube {
namespace {

constexpr std::size_t kMostEventsKnown = 8192;

constexpr std::chrono::milliseconds kGather{200};  // changes that come together are told together
constexpr std::chrono::seconds kMeasure{30};
constexpr std::chrono::minutes kVersion{10};

std::string NameOfPath(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// A sink that keeps a mirror: `read` makes the facts, `touch` tells that they changed.
template <class T, class M>
Watch::Sink Keep(M& mirror, std::function<T(const Json&)> read, std::function<void(const T&)> touch,
                 std::function<void(const Error*)> health) {
  Watch::Sink sink;
  const auto put = [&mirror, read, touch](const Json& object) {
    const std::string uid = TextAt(object, {"metadata", "uid"});
    if (uid.empty()) return;
    T facts = read(object);
    touch(facts);
    mirror.all[uid] = std::move(facts);
  };
  const auto drop = [&mirror, touch](const std::string& uid) {
    const auto it = mirror.all.find(uid);
    if (it == mirror.all.end()) return;
    touch(it->second);
    mirror.all.erase(it);
  };
  sink.begin = [&mirror] { mirror.seen.clear(); };
  sink.item = [&mirror, put](const Json& object) {
    mirror.seen.insert(TextAt(object, {"metadata", "uid"}));
    put(object);
  };
  sink.end = [&mirror, drop] {
    std::vector<std::string> gone;
    for (const auto& [uid, facts] : mirror.all) {
      if (!mirror.seen.contains(uid)) gone.push_back(uid);
    }
    for (const auto& uid : gone) drop(uid);
    mirror.seen.clear();
    mirror.ready = true;
  };
  sink.event = [put, drop](const std::string& type, const Json& object) {
    if (type == "DELETED") {
      drop(TextAt(object, {"metadata", "uid"}));
    } else {
      put(object);
    }
  };
  sink.health = std::move(health);
  return sink;
}

}  // namespace

View::View(Api& api, Hooks hooks) : api_(api), hooks_(std::move(hooks)) {}
View::~View() = default;

void View::Every(std::chrono::milliseconds delay, std::function<void()> fn) {
  api_.After(delay, [alive = std::weak_ptr<bool>(alive_), fn = std::move(fn)] {
    if (alive.lock()) fn();
  });
}

void View::Start() {
  WatchNodes();
  WatchPods();
  for (const char* path :
       {"/apis/apps/v1/deployments", "/apis/apps/v1/statefulsets", "/apis/apps/v1/daemonsets", "/apis/batch/v1/jobs"}) {
    WatchWork(path);
  }
  WatchEvents();
  for (auto& watch : watches_) watch->Start();
  AskVersion();
  AskMetrics();
}

std::function<void(const Error*)> View::HealthOf(const std::string& what) {
  return [this, what](const Error* error) {
    if (quiet_) return;
    const std::string words = error == nullptr ? "" : error->message;
    auto& now = ill_[what];
    if (words.empty()) Soon();  // what was listed may let an app be told
    if (now == words) return;
    if (!words.empty() && now.empty()) log::Warn("a watch does not work", {{"of", what}, {"why", words}});
    now = words;
    cluster_dirty_ = true;
    Soon();
  };
}

void View::WatchNodes() {
  auto touch = [this](const api::NodeStatus&) {
    cluster_dirty_ = true;
    Soon();
  };
  watches_.push_back(std::make_unique<Watch>(
      api_, "/api/v1/nodes", "",
      Keep<api::NodeStatus>(nodes_, std::function(ReadNode), std::function<void(const api::NodeStatus&)>(touch),
                            HealthOf("nodes"))));
}

void View::WatchPods() {
  std::function<void(const PodFacts&)> touch = [this](const PodFacts& pod) {
    cluster_dirty_ = true;
    TouchApp(pod.app);
    Soon();
  };
  watches_.push_back(std::make_unique<Watch>(api_, "/api/v1/pods", "",
                                             Keep<PodFacts>(pods_, std::function(ReadPod), touch, HealthOf("pods"))));
}

void View::WatchWork(const std::string& path) {
  std::function<void(const WorkFacts&)> touch = [this](const WorkFacts& work) { TouchApp(work.app); };
  watches_.push_back(std::make_unique<Watch>(
      api_, path, "labelSelector=" + Escape(kAppLabel),
      Keep<WorkFacts>(work_[path], std::function(ReadWork), touch, HealthOf(NameOfPath(path)))));
}

void View::WatchEvents() {
  Watch::Sink sink;
  // What is listed may have happened while no watch was there; what is from before the start is old. The two clocks may
  // differ a little.
  constexpr UnixMillis kSkew = 60'000;
  sink.begin = [] {};
  sink.item = [this](const Json& object) {
    if (ReadEvent(object).at >= began_ - kSkew) TakeEvent(object);
  };
  sink.end = [] {};
  sink.event = [this](const std::string& type, const Json& object) {
    if (type != "DELETED") TakeEvent(object);
  };
  sink.health = HealthOf("events");
  watches_.push_back(std::make_unique<Watch>(api_, "/api/v1/events", "", std::move(sink)));
}

// Of nodes, and of what belongs to our apps.
void View::TakeEvent(const Json& event) {
  const std::string uid = TextAt(event, {"involvedObject", "uid"});
  bool ours = TextAt(event, {"involvedObject", "kind"}) == "Node";
  if (const auto pod = pods_.all.find(uid); pod != pods_.all.end())
    ours = ours || IsOurs(pod->second.app, pod->second.name_space);
  for (const auto& [path, mirror] : work_) {
    const auto it = mirror.all.find(uid);
    if (it != mirror.all.end()) ours = ours || IsOurs(it->second.app, it->second.name_space);
  }
  if (!ours) return;
  const auto told = ReadEvent(event);
  // An event that happens again comes again, with another count.
  if (told_events_.size() >= kMostEventsKnown) told_events_.clear();
  auto& count = told_events_[TextAt(event, {"metadata", "uid"}) + TextAt(event, {"metadata", "name"})];
  if (count >= told.count) return;
  count = told.count;
  hooks_.happened(told);
}

void View::AskVersion() {
  api_.Send(Get("/version"), [this, alive = std::weak_ptr<bool>(alive_)](Result<Answer> answer) {
    if (!alive.lock()) return;
    if (answer && answer->status == 200) {
      if (const auto json = ParseAnswer(answer->body)) version_ = TextAt(*json, {"gitVersion"});
    }
    cluster_dirty_ = true;
    Soon();
    Every(kVersion, [this] { AskVersion(); });
  });
}

void View::AskMetrics() {
  Request request = Get("/apis/metrics.k8s.io/v1beta1/nodes");
  request.patience = std::chrono::seconds(10);
  api_.Send(std::move(request), [this, alive = std::weak_ptr<bool>(alive_)](Result<Answer> answer) {
    if (!alive.lock()) return;
    measured_.clear();
    if (answer && answer->status == 200) {
      if (const auto json = ParseAnswer(answer->body)) TakeMetrics(*json);
    }
    cluster_dirty_ = true;
    Soon();
    Every(kMeasure, [this] { AskMetrics(); });
  });
}

void View::TakeMetrics(const Json& list) {
  const Json& items = At(list, {"items"});
  if (!items.is_array()) return;
  for (const Json& item : items) {
    auto& used = measured_[TextAt(item, {"metadata", "name"})];
    used.cpu_milli = MilliOf(At(item, {"usage", "cpu"}));
    used.memory = UnitsOf(At(item, {"usage", "memory"}));
  }
}

bool View::IsOurs(const std::string& app, const std::string& name_space) const {
  const auto it = apps_.find(app);
  return it != apps_.end() && it->second.facts.spaces.contains(name_space);
}

void View::TouchApp(const std::string& name) {
  if (!apps_.contains(name)) return;
  dirty_.insert(name);
  Soon();
}

void View::Soon() {
  if (flush_due_) return;
  flush_due_ = true;
  Every(kGather, [this] {
    flush_due_ = false;
    Flush();
  });
}

void View::Track(const std::string& name, AppFacts facts) {
  auto& tracked = apps_[name];
  tracked.facts = std::move(facts);
  std::erase_if(tracked.seen, [&tracked](const std::string& uid) {
    return std::none_of(tracked.facts.expected.begin(), tracked.facts.expected.end(),
                        [&uid](const auto& expected) { return expected.uid == uid; });
  });
  dirty_.insert(name);
  Soon();
}

void View::Forget(const std::string& name) {
  const auto it = apps_.find(name);
  if (it == apps_.end()) return;
  api::AppStatus gone;
  gone.app = it->second.facts.app;
  gone.from = it->second.facts.from;
  gone.revision = it->second.facts.revision;
  gone.phase = api::AppPhase::kRemoved;
  gone.since = SystemClock().WallNow();
  apps_.erase(it);
  dirty_.erase(name);
  hooks_.app(gone);
}

bool View::IsIll(const std::string& what) const {
  const auto it = ill_.find(what);
  return it != ill_.end() && !it->second.empty();
}

void View::TellApp(const std::string& name, Tracked& tracked) {
  std::vector<WorkFacts> work;
  bool sees_all = pods_.ready;
  bool waits = !pods_.ready && !IsIll("pods");
  for (const auto& [path, mirror] : work_) {
    sees_all = sees_all && mirror.ready;
    waits = waits || (!mirror.ready && !IsIll(NameOfPath(path)));
    for (const auto& [uid, facts] : mirror.all) {
      if (facts.app == name && IsOurs(name, facts.name_space)) work.push_back(facts);
    }
  }
  std::vector<PodFacts> pods;
  for (const auto& [uid, facts] : pods_.all) {
    if (facts.app == name && IsOurs(name, facts.name_space)) pods.push_back(facts);
  }
  // Before everything was listed once, what is missing is no news; what cannot be listed is not waited for.
  if (waits && tracked.facts.error.empty()) return;
  for (const auto& facts : work) tracked.seen.insert(facts.uid);
  const Behind behind = BehindOf(tracked.facts, work, pods, tracked.seen);
  if (behind.missing && tracked.facts.applied && sees_all) hooks_.missing(name);
  auto status = StatusOf(tracked.facts, work, pods, behind);
  const bool same_phase = tracked.ever && tracked.told.phase == status.phase;
  status.since = same_phase ? tracked.told.since : SystemClock().WallNow();
  if (tracked.ever && tracked.told == status) return;
  tracked.told = status;
  tracked.ever = true;
  hooks_.app(status);
}

api::ShimStatus View::Cluster() const {
  api::ShimStatus out;
  out.shim = "kubernetes";
  out.version = version_;
  for (const auto& [what, why] : ill_) {
    if (why.empty()) continue;
    out.healthy = false;
    if (out.message.empty()) out.message = what + ": " + why;
  }
  std::map<std::string, api::Capacity> asked;
  for (const auto& [uid, pod] : pods_.all) {
    if (pod.running) Sum(asked[pod.node], pod.asks);
  }
  const bool blind = IsIll("nodes");
  for (const auto& [uid, node] : nodes_.all) {
    api::NodeStatus one = node;
    // What we cannot see is not shown as ready.
    if (blind) {
      one.ready = false;
      one.message = "the API server does not tell";
    }
    one.used = asked[one.name];
    if (const auto it = measured_.find(one.name); it != measured_.end()) {
      one.used.cpu_milli = it->second.cpu_milli;
      one.used.memory = it->second.memory;
    }
    if (one.ready) Sum(out.capacity, one.capacity);
    Sum(out.used, one.used);
    out.nodes.push_back(std::move(one));
  }
  std::sort(out.nodes.begin(), out.nodes.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

void View::Flush() {
  for (auto it = dirty_.begin(); it != dirty_.end();) {
    const auto app = apps_.find(*it);
    if (app != apps_.end()) TellApp(app->first, app->second);
    it = dirty_.erase(it);
  }
  // An app is told once all kinds were listed, which may be after it was touched last.
  for (auto& [name, tracked] : apps_) {
    if (!tracked.ever) TellApp(name, tracked);
  }
  if (!cluster_dirty_) return;
  const bool told_of =
      nodes_.ready || std::any_of(ill_.begin(), ill_.end(), [](const auto& e) { return !e.second.empty(); });
  if (!told_of) return;
  cluster_dirty_ = false;
  auto status = Cluster();
  if (ever_told_ && status == told_) return;
  told_ = status;
  ever_told_ = true;
  hooks_.cluster(status);
}

}  // namespace ote::kube
