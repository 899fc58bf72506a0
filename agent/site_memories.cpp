#include "agent/site_memories.h"

#include <algorithm>
#include <vector>

#include "core/base/log.h"
#include "crypto/digest.h"

namespace ote::agent {

federate::SiteMemory SiteMemories::Load(const std::string& run) {
  federate::SiteMemory memory;
  const auto record = context_.store.Get<SiteMemoryRecord>(run);
  if (!record || !*record) return memory;
  const auto read = [&](const std::string& digest, Bytes& out) {
    if (digest.empty()) return;
    auto bytes = context_.artifacts.Get(digest);
    if (bytes) {
      out = std::move(*bytes);
    } else {
      log::Warn("what was kept for a run is lost", {{"run", run}, {"why", bytes.error().message}});
    }
  };
  read((*record)->control, memory.control);
  read((*record)->personal, memory.personal);
  return memory;
}

Result<void> SiteMemories::Put(const api::Task& task, const federate::SiteAnswer& made) {
  if (made.memory.control.empty() && made.memory.personal.empty()) return {};
  OTE_TRY(const auto before, context_.store.Get<SiteMemoryRecord>(task.run));
  SiteMemoryRecord record = before.value_or(SiteMemoryRecord{});
  record.run = task.run;
  record.at = context_.clock.WallNow();
  const auto put = [&](const Bytes& bytes, std::string& digest) -> Result<void> {
    if (bytes.empty()) return {};
    OTE_TRY(const auto stored, context_.artifacts.Put(bytes));
    if (!digest.empty()) left_.insert(digest);
    digest = stored.ToString();
    return {};
  };
  OTE_CHECK(put(made.memory.control, record.control));
  OTE_CHECK(put(made.memory.personal, record.personal));
  if (!made.memory.personal.empty()) {
    api::ModelEntry own;
    own.name = task.run;
    own.version = 1;  // the one that there is, made better in each round
    own.run = task.run;
    own.digest = record.personal;
    own.size = static_cast<std::int64_t>(made.memory.personal.size());
    own.model = task.model;
    own.task = task.task;
    own.features = task.features;
    own.classes = task.classes;
    own.preparation = task.preparation;
    own.round = task.round;
    own.metrics = made.offer.personal;
    own.created_at = record.at;
    OTE_CHECK(context_.store.Put(own));
  }
  OTE_CHECK(context_.store.Put(record));
  OTE_TRY(auto all, context_.store.List<SiteMemoryRecord>());
  if (all.size() <= kMost) return {};
  const auto oldest =
      std::min_element(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  return Forget(oldest->run);
}

Result<void> SiteMemories::Forget(const std::string& run) {
  OTE_TRY(const auto record, context_.store.Get<SiteMemoryRecord>(run));
  if (!record) return {};
  OTE_CHECK(context_.store.Remove<SiteMemoryRecord>(run));
  if (!record->control.empty()) left_.insert(record->control);
  return {};
}

std::set<std::string> SiteMemories::Needed() const {
  std::set<std::string> needed;
  const auto records = context_.store.List<SiteMemoryRecord>();
  if (!records) return needed;
  for (const auto& record : *records) {
    for (const auto& digest : {record.control, record.personal}) {
      if (!digest.empty()) needed.insert(digest);
    }
  }
  return needed;
}

void SiteMemories::Sweep(const std::function<bool(const std::string& digest)>& needed) {
  if (left_.empty()) return;
  const auto mine = Needed();
  for (const auto& digest : left_) {
    if (!mine.contains(digest) && !needed(digest)) context_.artifacts.Remove(digest);
  }
  left_.clear();
}

}  // namespace ote::agent
