#include "agent/run_records.h"

#include <algorithm>

#include "core/site/model_registry.h"
#include "core/wire/envelope.h"

namespace ote::agent {

Result<void> WriteRecord(store::Store& store, const std::string& id, const RunRecord& record) {
  return store.Transaction([&]() -> Result<void> {
    for (const auto& event : record.events) OTE_CHECK(store.Append(id, event.at, ToJson(event)));
    if (record.run) OTE_CHECK(store.Put(*record.run));
    if (record.model) OTE_CHECK(site::ModelRegistry(store).Register(*record.model));
    if (record.over && !record.snapshot) OTE_CHECK(store.Remove<RunState>(id));
    if (record.snapshot) OTE_CHECK(store.Put(RunState{id, *record.snapshot, record.needed}));
    return {};
  });
}

Result<std::vector<api::RunEvent>> ReadEvents(store::Store& store, const std::string& id, std::int64_t after,
                                              std::int64_t limit) {
  OTE_TRY(const auto entries, store.ReadJournal(id, after, limit));
  std::vector<api::RunEvent> events;
  for (const auto& entry : entries) {
    OTE_TRY(auto event, FromWire<api::RunEvent>(entry.doc));
    event.seq = entry.seq;
    events.push_back(std::move(event));
  }
  return events;
}

api::Run FitForAnswer(api::Run run) {
  constexpr std::size_t kRoom = wire::kMaxHeader - 4096;
  std::size_t cut = 0;
  while (cut < run.rounds.size() && ToCbor(run).size() > kRoom) {
    // A tenth of the rounds at a time: encoding it is what costs.
    const auto until = std::min(run.rounds.size(), cut + run.rounds.size() / 10 + 1);
    for (; cut < until; ++cut) {
      run.rounds[cut].sites.clear();
      run.rounds[cut].sites.shrink_to_fit();
    }
  }
  return run;
}

}  // namespace ote::agent
