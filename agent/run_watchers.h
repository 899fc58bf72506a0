// Those who follow runs: each gets the history of its run from where it asked, then every event as it happens, then the
// run.
//
// Everything comes from the history in the store, by each watcher's own position in it, so that a slow one loses
// nothing and costs no memory; one that takes nothing for kGiveUp is dropped, with a word to it and to the log. One
// thread.
#pragma once

#include <functional>
#include <list>
#include <optional>
#include <string>

#include "agent/context.h"
#include "core/api/requests.h"

namespace ote::agent {

class RunWatchers {
 public:
  static constexpr std::int64_t kBatch = 32;  // events sent before others get their turn
  static constexpr std::chrono::milliseconds kBreath{5};
  static constexpr std::chrono::milliseconds kPause{250};  // after a queue was full
  static constexpr std::chrono::milliseconds kGiveUp{10'000};
  static constexpr std::size_t kMost = 64;

  // `find` gives a run as it is shown now.
  RunWatchers(Context& context, std::function<std::optional<api::Run>(const std::string& id)> find);
  ~RunWatchers();

  // Takes over `request`, an fl.watch for the run `id`. kBusy when there are too many.
  void Add(Request request, const std::string& id, std::int64_t after, bool follow);
  // Something new is in the run's history, or it has ended.
  void Advanced(const std::string& id);

 private:
  struct Watcher {
    Request request;
    std::string run;
    std::int64_t sent = 0;  // seq of the last event sent
    bool follow = true;
    std::optional<std::chrono::milliseconds> stuck_since;
    Timers::Id timer = 0;
  };
  using Place = std::list<Watcher>::iterator;
  void Serve(Place watcher);
  void Later(Place watcher, std::chrono::milliseconds pause);
  void Stuck(Place watcher);
  void Remove(Place watcher);

  Context& context_;
  std::function<std::optional<api::Run>(const std::string&)> find_;
  std::list<Watcher> watchers_;
};

}  // namespace ote::agent
