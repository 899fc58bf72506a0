// The rows that a run leaves in the store of its root: what users see of it, what it is restored from, its history, and
// the model that came of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/run.h"
#include "core/store/store.h"

namespace ote::agent {

// What an unfinished run is restored from, and one that failed or was cancelled is taken up from.
struct RunState {
  static constexpr std::string_view kKind = "run-state";
  std::string id;
  Bytes snapshot;                   // federate::RunMachine::Snapshot()
  std::vector<std::string> needed;  // the artifacts that it names

  std::string Key() const { return id; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("id", self.id, kRequired);
    v("snapshot", self.snapshot, kRequired);
    v("needed", self.needed);
  }
};

struct RunRecord {
  std::optional<api::Run> run;           // written when there
  std::optional<Bytes> snapshot;         // written when there
  std::vector<std::string> needed;       // by the snapshot
  bool over = false;                     // without a snapshot: removes what the run was restored from
  std::vector<api::RunEvent> events;     // appended to its history
  std::optional<api::ModelEntry> model;  // registered as the next version of its name
};

// Writes all of it durably, or nothing.
Result<void> WriteRecord(store::Store& store, const std::string& id, const RunRecord& record);

// The events of a run with a greater seq than `after`, the oldest first, at most `limit`.
Result<std::vector<api::RunEvent>> ReadEvents(store::Store& store, const std::string& id, std::int64_t after,
                                              std::int64_t limit);

// `run` as it fits into one answer: of a run with very many rounds and sites, the details of the sites of its oldest
// rounds are left out.
api::Run FitForAnswer(api::Run run);

}  // namespace ote::agent
