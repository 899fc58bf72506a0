// Logs that are followed: which containers there are, and which of their logs is open.
#include <fmt/format.h>

#include <algorithm>

#include "agent/shim/kubernetes/json.h"
#include "agent/shim/kubernetes/logs.h"
#include "agent/shim/kubernetes/translate.h"

namespace ote::kube {
namespace {

constexpr int kMostFailures = 3;
constexpr std::chrono::seconds kLastWords{2};  // how long the log of a pod that is gone may still tell

std::string UidOf(const Json& pod) { return TextAt(pod, {"metadata", "uid"}); }

// A stateful set makes its pod again under the same name.
bool ComesAgain(const Json& pod) {
  const Json& owners = At(pod, {"metadata", "ownerReferences"});
  return owners.is_array() && !owners.empty() && TextAt(owners[0], {"kind"}) == "StatefulSet";
}

const Json& StatusOfContainer(const Json& pod, const std::string& name) {
  static const Json kNone;
  const Json& all = At(pod, {"status", "containerStatuses"});
  if (!all.is_array()) return kNone;
  const auto it = std::find_if(all.begin(), all.end(), [&name](const Json& s) { return TextAt(s, {"name"}) == name; });
  return it == all.end() ? kNone : *it;
}

// Whether a line was told before the stream broke. Stamps of one length compare as text, to the nanosecond.
bool IsTold(std::string_view line, const std::string& last) {
  const std::string_view stamp = line.substr(0, line.find(' '));
  if (last.empty()) return false;
  return stamp.size() == last.size() ? stamp <= last : TimeOf(stamp) < TimeOf(last);
}

}  // namespace

void LogReader::After(std::chrono::milliseconds delay, std::function<void()> fn) {
  api_.After(delay, [weak = weak_from_this(), fn = std::move(fn)] {
    const auto self = weak.lock();
    if (self != nullptr && !self->stopped_) fn();
  });
}

void LogReader::Follow() {
  Watch::Sink sink;
  sink.begin = [this] { seen_.clear(); };
  sink.item = [this](const Json& pod) {
    seen_.insert(UidOf(pod));
    TakePod(pod);
  };
  sink.end = [this] { Listed(); };
  sink.event = [this](const std::string& type, const Json& pod) {
    if (type == "DELETED") {
      DropPod(UidOf(pod));
      if (!query_.replica.empty() && query_.replica == TextAt(pod, {"metadata", "name"}) && !ComesAgain(pod) &&
          spaces_.contains(TextAt(pod, {"metadata", "namespace"}))) {
        After(kLastWords + std::chrono::seconds(1), [this] { Stop(); });
      }
    } else {
      TakePod(pod);
      OpenDue();
    }
  };
  // What cannot be listed at first is told; later breaks mend themselves.
  sink.health = [this](const Error* error) {
    if (error != nullptr && !listed_ && !stopped_) Finish(Fail(*error));
  };
  pods_ = std::make_unique<Watch>(
      api_, "/api/v1/pods", "labelSelector=" + Escape(fmt::format("{}={}", kAppLabel, app_name_)), std::move(sink));
  After(std::chrono::milliseconds(0), [this] { pods_->Start(); });
}

void LogReader::Listed() {
  std::set<std::string> gone;
  for (const auto& [key, source] : sources_) {
    const std::string uid = key.substr(0, key.find('/'));
    if (!seen_.contains(uid)) gone.insert(uid);
  }
  for (const auto& uid : gone) DropPod(uid);
  const bool none = sources_.empty();
  if (!std::exchange(listed_, true) && none && !query_.replica.empty()) {
    return Finish(Fail(ErrorId::kNotFound, fmt::format("{}: {} has no such replica", query_.replica, query_.app)));
  }
  OpenDue();
}

void LogReader::TakePod(const Json& pod) {
  const std::string name = TextAt(pod, {"metadata", "name"});
  if (!query_.replica.empty() && query_.replica != name) return;
  if (!spaces_.contains(TextAt(pod, {"metadata", "namespace"}))) return;
  const Json& containers = At(pod, {"spec", "containers"});
  if (!containers.is_array()) return;
  for (const Json& container : containers) {
    const std::string of = TextAt(container, {"name"});
    Source& source = sources_[UidOf(pod) + "/" + of];
    if (source.pod.empty()) {
      source.name_space = TextAt(pod, {"metadata", "namespace"});
      source.pod = name;
      source.container = of;
      source.replica = containers.size() > 1 ? name + "/" + of : name;
      source.from_start = listed_;
    }
    const Json& status = StatusOfContainer(pod, of);
    source.runs = At(status, {"state", "running"}).is_object();
    const bool began = source.runs || At(status, {"state", "terminated"}).is_object();
    const std::int64_t restarts = NumberAt(status, {"restartCount"});
    if (!began || restarts <= source.instance) continue;
    source.instance = restarts;
    source.due = true;
  }
}

void LogReader::DropPod(const std::string& uid) {
  bool any = false;
  for (auto& [key, source] : sources_) {
    if (key.substr(0, key.find('/')) != uid) continue;
    source.gone = any = true;
    source.due = false;
  }
  if (!any) return;
  After(kLastWords, [this, uid] {
    std::erase_if(sources_, [this, &uid](const auto& entry) {
      if (entry.first.substr(0, entry.first.find('/')) != uid) return false;
      if (entry.second.request != 0) api_.Cancel(entry.second.request);
      return true;
    });
    OpenDue();
  });
}

void LogReader::OpenDue() {
  auto open = std::count_if(sources_.begin(), sources_.end(), [](const auto& e) { return e.second.request != 0; });
  for (auto& [key, source] : sources_) {
    if (!source.due || source.request != 0) continue;
    if (++open > kMostStreams) return;
    OpenSource(key, source);
  }
}

void LogReader::OpenSource(const std::string& key, Source& source) {
  source.due = false;
  auto path = fmt::format("/api/v1/namespaces/{}/pods/{}/log?container={}&timestamps=true&follow=true",
                          Escape(source.name_space), Escape(source.pod), Escape(source.container));
  if (source.told < source.instance) {
    // Of what was there when the reader came the last lines, of all that began later all.
    if (source.told < 0 && !source.from_start) path += fmt::format("&tailLines={}", query_.tail);
    source.last.clear();
  } else if (!source.last.empty()) {
    path += "&sinceTime=" + Escape(source.last);
  }
  source.told = source.instance;
  const auto fresh = [this, key, before = source.last](std::string_view line) {
    const auto it = sources_.find(key);
    if (it == sources_.end()) return false;
    if (IsTold(line, before)) return false;
    it->second.failures = 0;
    it->second.last = line.substr(0, line.find(' '));
    return true;
  };
  source.request = Open(path, source.replica, fresh, [this, key](Result<void> how) { SourceEnded(key, how); });
}

void LogReader::SourceEnded(const std::string& key, const Result<void>& how) {
  const auto it = sources_.find(key);
  if (it == sources_.end() || stopped_) return;
  Source& source = it->second;
  source.request = 0;
  if (source.gone) return;
  if (!how && how.error().id == ErrorId::kKubeRefused) return Finish(how);
  // What never told a line and does not answer either is told to the reader, when there is nothing else to read.
  const bool reads = std::any_of(sources_.begin(), sources_.end(),
                                 [](const auto& e) { return e.second.request != 0 || !e.second.last.empty(); });
  if (!how && !reads && source.failures >= kMostFailures) return Finish(how);
  if (source.instance > source.told) {
    source.due = true;
  } else if (source.runs || !how) {
    // The container may have ended, and the news of that be on its way: then there is nothing more.
    const std::chrono::milliseconds wait(std::min(30'000, 1000 << std::min(source.failures++, 5)));
    const bool failed = !how;
    After(wait, [this, key, failed] {
      const auto again = sources_.find(key);
      if (again == sources_.end() || again->second.gone) return;
      again->second.due = again->second.due || again->second.runs || failed;
      OpenDue();
    });
  }
  OpenDue();
}

}  // namespace ote::kube
