#include "core/site/memories.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/site/mask_records.h"
#include "crypto/digest.h"

namespace ote::site {

federate::SiteMemory Memories::Load(const std::string& run, std::int64_t round) {
  federate::SiteMemory memory;
  if (auto masks = LoadMasks(store_, run)) {
    memory.masks = std::move(*masks);
  } else {
    log::Error("what was kept for masked rounds cannot be read", {{"run", run}, {"why", masks.error().message}});
  }
  const auto record = store_.Get<SiteMemoryRecord>(run);
  if (!record || !*record) return memory;
  const auto read = [&](const std::string& digest, Bytes& out) {
    if (digest.empty()) return;
    auto bytes = artifacts_.Get(digest);
    if (bytes) {
      out = std::move(*bytes);
    } else {
      log::Warn("what was kept for a run is lost", {{"run", run}, {"why", bytes.error().message}});
    }
  };
  read((*record)->control, memory.control);
  read((*record)->personal, memory.personal);
  read((*record)->residual_round == round ? (*record)->residual_before : (*record)->residual, memory.residual);
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
  const auto put = [&](const Bytes& bytes, std::string& digest) -> Result<void> {
    if (bytes.empty()) return {};
    OTE_TRY(const auto stored, artifacts_.Put(bytes));
    if (!digest.empty()) left_.insert(digest);
    digest = stored.ToString();
    return {};
  };
  OTE_CHECK(put(kept.control, record.control));
  OTE_CHECK(put(kept.personal, record.personal));
  if (!kept.residual.empty()) {
    if (record.residual_round != task.round) {
      left_.insert(record.residual_before);
      record.residual_before = std::exchange(record.residual, {});
      record.residual_round = task.round;
    }
    OTE_CHECK(put(kept.residual, record.residual));
  }
  if (!kept.personal.empty()) {
    api::ModelEntry own;
    own.name = task.run;
    own.version = 1;  // the one that there is, made better in each round
    own.run = task.run;
    own.digest = record.personal;
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
  for (const auto& digest : {record->control, record->residual, record->residual_before}) left_.insert(digest);
  return {};
}

std::set<std::string> Memories::Needed() const {
  std::set<std::string> needed;
  const auto records = store_.List<SiteMemoryRecord>();
  if (!records) return needed;
  for (const auto& record : *records) {
    for (const auto& digest : {record.control, record.personal, record.residual, record.residual_before}) {
      if (!digest.empty()) needed.insert(digest);
    }
  }
  return needed;
}

void Memories::Sweep() {
  if (left_.empty()) return;
  const auto mine = Needed();
  for (const auto& digest : left_) {
    if (!digest.empty() && !mine.contains(digest)) artifacts_.Remove(digest);
  }
  left_.clear();
}

}  // namespace ote::site
