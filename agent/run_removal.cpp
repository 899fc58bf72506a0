// fl.remove: what a run that is over leaves, taken away.
#include <fmt/format.h>

#include <algorithm>

#include "agent/record_keeper.h"
#include "agent/run_controller.h"
#include "agent/run_records.h"
#include "agent/sealing/run_keys.h"
#include "core/base/log.h"

namespace ote::agent {

Result<std::set<std::string>> RunController::NeededWithout(const std::string& id,
                                                           const std::set<std::string>& only) const {
  auto needed = others_need_ ? others_need_() : std::set<std::string>();
  for (const auto& [run, driver] : drivers_) {
    if (driver->Halted()) {
      return Fail(ErrorId::kBusy, fmt::format("run {}: its state cannot be read now", run), "try again");
    }
    needed.merge(driver->Needed());
  }
  OTE_TRY(const auto states, context_.store.List<RunState>());
  for (const auto& state : states) {
    if (state.id != id) needed.insert(state.needed.begin(), state.needed.end());
  }
  OTE_TRY(const auto models, context_.store.List<api::ModelEntry>());
  for (const auto& model : models) needed.insert(model.digest);
  OTE_TRY(auto kept, AllKeptForRecords(context_.store));
  for (const auto& digest : only) kept.erase(digest);
  needed.merge(kept);
  return needed;
}

Result<std::int64_t> RunController::DropRows(const std::string& id, bool dry) {
  auto& store = context_.store;
  std::int64_t rows = 1;
  OTE_TRY(const auto head, store.Get<RecordHead>(id));
  if (head) rows += head->head.entries + 1;
  OTE_TRY(const auto events, store.JournalSize(id));
  rows += events;
  if (also_goes_) {
    OTE_TRY(const auto more, also_goes_(id, dry));
    rows += more;
  }
  if (dry) return rows;
  OTE_CHECK(DropRecord(store, id));
  OTE_CHECK(store.TrimJournal(id, 0));
  OTE_CHECK(store.Remove<RunState>(id));
  OTE_CHECK(store.Remove<api::Run>(id));
  return rows;
}

Result<api::RunRemoved> RunController::Remove(const api::RunRemoveRequest& request) {
  OTE_TRY(const auto id, IdOf(request.name));
  OTE_TRY(const auto run, Find(id));
  if (drivers_.contains(id) || !run.Over()) {
    return Fail(ErrorId::kConflict, fmt::format("run {}: it has not ended ({})", request.name, NameOf(run.status)),
                fmt::format("ote fl cancel {}", request.name));
  }
  api::RunRemoved removed;
  removed.id = id;
  removed.name = run.spec.name;
  removed.updates = request.updates;
  OTE_TRY(const auto only, KeptOnlyFor(context_.store, id));
  auto useless = only;
  removed.already = request.updates && useless.empty();
  OTE_TRY(const auto state, context_.store.Get<RunState>(id));
  if (state && !request.updates) useless.insert(state->needed.begin(), state->needed.end());
  // A run that failed can be taken up again: what that needs stays with it.
  OTE_TRY(const auto others, NeededWithout(id, only));
  std::erase_if(useless, [&](const std::string& digest) {
    const bool resumes = request.updates && state && std::ranges::count(state->needed, digest) > 0;
    return resumes || others.contains(digest) || !context_.artifacts.Has(digest);
  });
  for (const auto& digest : useless) {
    OTE_TRY(const auto size, context_.artifacts.Size(digest));
    removed.bytes += static_cast<std::int64_t>(size);
    ++removed.artifacts;
  }
  if (request.dry_run) {
    if (!request.updates) {
      OTE_TRY(removed.rows, DropRows(id, true));
    }
    return removed;
  }
  auto done = context_.store.Transaction([&]() -> Result<void> {
    OTE_TRY(removed.rows, DropKept(context_, id));
    if (request.updates) return {};
    OTE_TRY(const auto rows, DropRows(id, false));
    removed.rows += rows;
    return {};
  });
  OTE_CHECK(std::move(done));
  // What a crash leaves here goes when the agent starts next: nothing names it any more.
  for (const auto& digest : useless) context_.artifacts.Remove(digest);
  if (!request.updates) {
    WipeRunKey(context_.folder, id);
    std::erase_if(known_, [&](const Known& known) { return known.id == id; });
  }
  log::Info(request.updates ? "updates of a run removed" : "run removed", {{"run", id}, {"bytes", removed.bytes}});
  return removed;
}

}  // namespace ote::agent
