#include "core/site/memories.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/site/mask_records.h"
#include "crypto/digest.h"

namespace ote::site {

federate::SiteMemory Memories::Load(const api::Task& task) {
  federate::SiteMemory memory;
  if (auto masks = LoadMasks(store_, task.run)) {
    memory.masks = std::move(*masks);
  } else {
    log::Error("what was kept for masked rounds cannot be read", {{"run", task.run}, {"why", masks.error().message}});
  }
  if (api::IsMaskStep(task.kind)) return memory;  // it needs nothing else, and the rest has the size of models
  const auto record = store_.Get<SiteMemoryRecord>(task.run);
  if (!record || !*record) return memory;
  const auto read = [&](const std::string& digest, Bytes& out) {
    if (digest.empty()) return;
    auto bytes = artifacts_.Get(digest);
    if (bytes) {
      out = std::move(*bytes);
    } else {
      log::Warn("what was kept for a run is lost", {{"run", task.run}, {"why", bytes.error().message}});
    }
  };
  const bool again = task.kind == api::TaskKind::kTrain && task.round == (*record)->round;
  const auto& parts = again ? (*record)->found : (*record)->left;
  read(parts.control, memory.control);
  read(parts.personal, memory.personal);
  read(parts.residual, memory.residual);
  return memory;
}

Result<void> Memories::Put(const api::Task& task, const federate::SiteAnswer& made) {
  OTE_CHECK(PutMasks(store_, task.run, made.memory.masks));
  const auto& kept = made.memory;
  if (kept.control.empty() && kept.personal.empty() && kept.residual.empty()) return {};
  OTE_TRY(const auto before, store_.Get<SiteMemoryRecord>(task.run));
  SiteMemoryRecord record = before.value_or(SiteMemoryRecord{});
  record.run = task.run;
  record.at = clock_.WallNow();
  if (record.round != task.round) {
    const auto old = std::exchange(record.found, record.left).All();
    useless_.insert(old.begin(), old.end());
    record.round = task.round;
  }
  const auto put = [&](const Bytes& bytes, std::string& digest) -> Result<void> {
    if (bytes.empty()) return {};
    OTE_TRY(const auto stored, artifacts_.Put(bytes));
    useless_.insert(std::exchange(digest, stored.ToString()));
    return {};
  };
  OTE_CHECK(put(kept.control, record.left.control));
  OTE_CHECK(put(kept.personal, record.left.personal));
  OTE_CHECK(put(kept.residual, record.left.residual));
  if (!kept.personal.empty()) {
    api::ModelEntry own;
    own.name = task.run;
    own.version = 1;  // the one that there is, made better in each round
    own.run = task.run;
    own.digest = record.left.personal;
    own.size = static_cast<std::int64_t>(kept.personal.size());
    own.model = task.model;
    own.task = task.task;
    own.features = task.features;
    own.classes = task.classes;
    own.preparation = task.preparation;
    own.round = task.round;
    own.metrics = made.offer.personal;
    own.created_at = record.at;
    OTE_CHECK(store_.Put(own));
  }
  OTE_CHECK(store_.Put(record));
  OTE_TRY(auto all, store_.List<SiteMemoryRecord>());
  if (all.size() <= kMost) return {};
  const auto oldest =
      std::min_element(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  return Forget(oldest->run);
}

Result<void> Memories::CloseRound(const std::string& run, std::int64_t round) { return CloseMasks(store_, run, round); }

Result<void> Memories::Forget(const std::string& run) {
  OTE_CHECK(store_.Remove<MaskRecord>(run));
  OTE_TRY(const auto record, store_.Get<SiteMemoryRecord>(run));
  if (!record) return {};
  OTE_CHECK(store_.Remove<SiteMemoryRecord>(run));
  for (const auto& parts : {record->found, record->left}) {
    const auto all = parts.All();
    useless_.insert(all.begin(), all.end());
  }
  useless_.erase(record->left.personal);
  return {};
}

std::set<std::string> Memories::Needed() const {
  std::set<std::string> needed;
  const auto records = store_.List<SiteMemoryRecord>();
  if (!records) return needed;
  for (const auto& record : *records) {
    for (const auto& parts : {record.found, record.left}) {
      const auto all = parts.All();
      needed.insert(all.begin(), all.end());
    }
  }
  needed.erase("");
  return needed;
}

void Memories::Sweep() {
  if (useless_.empty()) return;
  const auto mine = Needed();
  for (const auto& digest : useless_) {
    if (!digest.empty() && !mine.contains(digest)) artifacts_.Remove(digest);
  }
  useless_.clear();
}

}  // namespace ote::site
