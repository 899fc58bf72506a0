// What a site keeps for runs from round to round: its control variate, what its compressed updates left out, and its
// own model, which is in its registry too. Nothing of it leaves the site. One thread.
#pragma once

#include <array>
#include <set>
#include <string>

#include "core/base/clock.h"
#include "core/federate/site.h"
#include "core/store/artifacts.h"
#include "core/store/store.h"

namespace ote::site {

struct SiteMemoryRecord {
  static constexpr std::string_view kKind = "site-memory";
  struct Parts {  // artifacts; "" for none
    std::string control;
    std::string personal;
    std::string residual;

    std::array<std::string, 3> All() const { return {control, personal, residual}; }
    template <class Self, class V>
    static void Fields(Self& self, V&& v) {
      v("control", self.control);
      v("personal", self.personal);
      v("residual", self.residual);
    }
  };
  std::string run;
  std::int64_t round = 0;  // that was trained last
  Parts found;             // as its answer found them
  Parts left;              // and as it left them
  UnixMillis at = 0;

  std::string Key() const { return run; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("round", self.round);
    v("found", self.found);
    v("left", self.left);
    v("at", self.at);
  }
};

class Memories {
 public:
  // Runs that are remembered at a time; of more, the one that was longest without a round is forgotten.
  static constexpr std::size_t kMost = 32;

  Memories(const Clock& clock, store::Store& store, store::Artifacts& artifacts)
      : clock_(clock), store_(store), artifacts_(artifacts) {}

  // What was kept last; empty for a run that is new here. A damaged artifact counts as none, and is logged. A round
  // that was trained before and is trained again, as in a run that is taken up, finds what it found then: what it sends
  // is what was sent, and no step is taken twice. For a step of masks, what they need alone.
  federate::SiteMemory Load(const api::Task& task);
  // Stores the parts of `made` that are not empty, and puts the site's own model into its registry. To be called within
  // a transaction of the store; artifacts that it made useless go with Sweep.
  Result<void> Put(const api::Task& task, const federate::SiteAnswer& made);
  // Rounds up to this one are over: secrets of masks are wiped.
  Result<void> CloseRound(const std::string& run, std::int64_t round);
  // The run is over. Its own model stays in the registry.
  Result<void> Forget(const std::string& run);
  // Artifacts that are needed.
  std::set<std::string> Needed() const;
  // Removes what the last changes left behind.
  void Sweep();

 private:
  const Clock& clock_;
  store::Store& store_;
  store::Artifacts& artifacts_;
  std::set<std::string> useless_;
};

}  // namespace ote::site
