#include "agent/run_watchers.h"

#include <fmt/format.h>

#include <utility>

#include "agent/run_records.h"
#include "core/base/log.h"

namespace ote::agent {

RunWatchers::RunWatchers(Context& context, std::function<std::optional<api::Run>(const std::string&)> find)
    : context_(context), find_(std::move(find)) {}

RunWatchers::~RunWatchers() {
  for (auto& watcher : watchers_) {
    context_.timers.Cancel(watcher.timer);
    // Those who follow come back when the agent does.
    watcher.request.Refuse(Error{ErrorId::kUnreachable, "fl.watch: the agent stops", {}});
  }
}

void RunWatchers::Add(Request request, const std::string& id, std::int64_t after, bool follow) {
  if (watchers_.size() >= kMost) {
    return request.Refuse(Error{ErrorId::kBusy, fmt::format("fl.watch: {} others watch already", kMost), {}});
  }
  watchers_.push_back(Watcher{std::move(request), id, after, follow, std::nullopt, 0});
  const auto watcher = std::prev(watchers_.end());
  watcher->request.OnGone([this, watcher] {
    watcher->request.Refuse(Error{ErrorId::kInterrupted, "fl.watch: nobody watches any more", {}});
    Remove(watcher);
  });
  Serve(watcher);
}

void RunWatchers::Advanced(const std::string& id) {
  for (auto it = watchers_.begin(); it != watchers_.end();) {
    const auto watcher = it++;
    // One with a timer is on its way already.
    if (watcher->run == id && watcher->timer == 0) Serve(watcher);
  }
}

void RunWatchers::Serve(Place watcher) {
  // What is shown is read before the history: an end that shows here has all its events there.
  const auto run = find_(watcher->run);
  auto events = ReadEvents(context_.store, watcher->run, watcher->sent, kBatch);
  if (!events) {
    watcher->request.Refuse(events.error());
    return Remove(watcher);
  }
  for (const auto& event : *events) {
    if (!watcher->request.Item(ToJson(event))) return Stuck(watcher);
    watcher->sent = event.seq;
    watcher->stuck_since.reset();
  }
  if (std::ssize(*events) == kBatch) return Later(watcher, kBreath);
  if (!run) {
    watcher->request.Refuse(Error{ErrorId::kRunUnknown, fmt::format("run {}: not here any more", watcher->run), {}});
    return Remove(watcher);
  }
  if (run->Over() || !watcher->follow) {
    watcher->request.Answer(ToJson(FitForAnswer(*run)));
    Remove(watcher);
  }
}

void RunWatchers::Later(Place watcher, std::chrono::milliseconds pause) {
  watcher->timer = context_.timers.At(context_.clock.SteadyNow() + pause, [this, watcher] {
    watcher->timer = 0;
    Serve(watcher);
  });
}

void RunWatchers::Stuck(Place watcher) {
  if (watcher->request.Gone()) return Remove(watcher);
  const auto now = context_.clock.SteadyNow();
  if (!watcher->stuck_since) watcher->stuck_since = now;
  if (now - *watcher->stuck_since < kGiveUp) return Later(watcher, kPause);
  log::Warn("a watcher takes nothing and is dropped", {{"run", watcher->run}});
  watcher->request.Refuse(Error{ErrorId::kBusy,
                                fmt::format("fl.watch: too slow; dropped after event {}", watcher->sent),
                                fmt::format("ote fl logs {} -f", watcher->run)});
  Remove(watcher);
}

void RunWatchers::Remove(Place watcher) {
  context_.timers.Cancel(watcher->timer);
  watchers_.erase(watcher);
}

}  // namespace ote::agent
