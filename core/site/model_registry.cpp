#include "core/site/model_registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "core/base/version.h"
#include "crypto/digest.h"

namespace ote::site {
namespace {

std::string Counter(const std::string& name) { return "model/" + name; }

}  // namespace

Result<void> ModelRegistry::Migrate() {
  OTE_TRY(auto models, store_.List<api::ModelEntry>());
  std::erase_if(models, [](const auto& model) { return model.version != 0; });
  if (models.empty()) return {};
  return store_.Transaction([&]() -> Result<void> {
    for (auto& model : models) {
      OTE_TRY(model.version, store_.NextNumber(Counter(model.name)));
      OTE_CHECK(store_.Put(model));
      OTE_CHECK(store_.Remove<api::ModelEntry>(model.name));  // its key was its name
    }
    return {};
  });
}

Result<std::vector<api::ModelEntry>> ModelRegistry::List() const {
  OTE_TRY(auto models, store_.List<api::ModelEntry>());
  std::ranges::sort(models, [](const auto& a, const auto& b) {
    return std::tie(a.created_at, a.name, a.version) < std::tie(b.created_at, b.name, b.version);
  });
  return models;
}

Result<api::ModelEntry> ModelRegistry::Find(const std::string& reference) const {
  OTE_TRY(const auto models, List());
  return api::FindModel(models, reference);
}

Result<api::ModelEntry> ModelRegistry::Register(api::ModelEntry entry) {
  OTE_TRY(const auto models, List());
  if (const auto newest = api::FindModel(models, entry.name); newest && newest->name == entry.name) {
    if (newest->digest == entry.digest && newest->source == entry.source && newest->run == entry.run) return *newest;
  }
  auto done = store_.Transaction([&]() -> Result<void> {
    OTE_TRY(entry.version, store_.NextNumber(Counter(entry.name)));
    if (entry.ote_version.empty()) entry.ote_version = Version();
    return store_.Put(entry);
  });
  if (!done) return Fail(std::move(done).error());
  return entry;
}

Result<api::ModelEntry> ModelRegistry::Tag(const std::string& reference, const std::string& tag) {
  OTE_CHECK(api::CheckTag(tag));
  OTE_TRY(auto models, List());
  OTE_TRY(auto tagged, api::FindModel(models, reference));
  auto done = store_.Transaction([&]() -> Result<void> {
    for (auto& model : models) {
      if (model.name != tagged.name || std::erase(model.tags, tag) == 0) continue;
      if (model.version == tagged.version) continue;
      OTE_CHECK(store_.Put(model));
    }
    std::erase(tagged.tags, tag);
    tagged.tags.insert(std::ranges::lower_bound(tagged.tags, tag), tag);
    return store_.Put(tagged);
  });
  if (!done) return Fail(std::move(done).error());
  return tagged;
}

Result<api::ModelEntry> ModelRegistry::Untag(const std::string& reference, const std::string& tag) {
  OTE_TRY(const auto models, List());
  // NAME alone means the version that carries the tag, not the newest.
  auto found = api::FindModel(models, fmt::format("{}@{}", reference, tag));
  if (!found || reference.find('@') != std::string::npos) found = api::FindModel(models, reference);
  if (!found) return found;
  if (std::erase(found->tags, tag) == 0) {
    return Fail(ErrorId::kModelUnknown, fmt::format("model {}: it does not carry the tag {}", found->Key(), tag),
                "ote model list --all");
  }
  OTE_CHECK(store_.Put(*found));
  return found;
}

Result<api::ModelEntry> ModelRegistry::Remove(const std::string& reference, bool force) {
  OTE_TRY(auto entry, Find(reference));
  if (!entry.tags.empty() && !force) {
    return Fail(ErrorId::kConflict, fmt::format("model {}: it is tagged {}", entry.Key(), fmt::join(entry.tags, ", ")),
                fmt::format("ote model tag {} {} --remove, or give --force", entry.Key(), entry.tags.front()));
  }
  OTE_CHECK(store_.Remove<api::ModelEntry>(entry.Key()));
  return entry;
}

void AddLineage(api::ModelEntry& entry, const api::Run& run) {
  if (!run.spec.model_name.empty()) entry.name = run.spec.model_name;
  if (entry.run.empty()) entry.run = run.id;
  if (entry.round == 0) {
    entry.round = static_cast<std::int64_t>(run.rounds.size());
    for (const auto& round : run.rounds) {
      if (round.model_digest == entry.digest) entry.round = round.round;
    }
  }
  if (entry.participants.empty()) {
    std::set<std::string> names;
    for (const auto& round : run.rounds) {
      if (round.round <= entry.round) names.insert(round.participants.begin(), round.participants.end());
    }
    entry.participants.assign(names.begin(), names.end());
  }
  if (entry.spec_digest.empty()) {
    entry.spec_digest = crypto::DigestOf(AsBytes(DumpJson(ToJson(run.spec)))).ToString();
  }
  if (entry.parent.empty()) entry.parent = run.from_digest;
  if (entry.preparation.Empty()) entry.preparation = run.preparation;
}

}  // namespace ote::site
