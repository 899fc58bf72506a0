// The sites of a masked round and their root, step by step, with no run around them: for tests and benchmarks.
#pragma once

#include <fmt/format.h>

#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/federate/masks/quantise.h"
#include "core/federate/masks/root_masks.h"
#include "core/federate/masks/site_masks.h"
#include "test/fake/mask_authority.h"

namespace ote::fake {

struct MaskSite {
  federate::MaskIdentity identity;
  federate::SiteMasks kept;
  std::vector<std::uint32_t> plain;  // its quantised update
};

template <class T>
T Must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}
inline void Must(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message);
}

class MaskCohort {
 public:
  explicit MaskCohort(std::size_t count, std::size_t values = 9, api::MasksSpec spec = Spec()) : values_(values) {
    which = {"run-1", 1, 1, spec};
    std::mt19937 random(static_cast<unsigned>(count));
    for (std::size_t i = 0; i < count; ++i) {
      const std::string name = fmt::format("site-{:04}", i);
      MaskSite& site = sites[name];
      site.identity = authority.Admit(name);
      for (std::size_t v = 0; v < values; ++v) site.plain.push_back(static_cast<std::uint32_t>(random()));
    }
  }
  static api::MasksSpec Spec() {
    api::MasksSpec spec;
    spec.kind = api::MaskKind::kPairwise;
    return spec;
  }

  api::Task Task(api::TaskKind kind, api::MaskTask masks) const {
    api::Task task;
    task.run = which.run;
    task.round = which.round;
    task.kind = kind;
    task.masks = std::move(masks);
    return task;
  }
  api::Task KeysTask() const {
    api::MaskTask masks;
    masks.attempt = which.attempt;
    masks.spec = which.spec;
    return Task(api::TaskKind::kMaskKeys, masks);
  }
  // A site that is restarted has what it kept, and nothing else.
  void Restart(MaskSite& site) const { site.kept = Must(FromCbor<federate::SiteMasks>(ToCbor(site.kept))); }

  Bytes Answer(const std::string& name, const api::Task& task) {
    MaskSite& site = sites.at(name);
    if (restarts) Restart(site);
    return Must(federate::AnswerMaskStep(task, site.identity, site.kept));
  }
  Result<Bytes> TryAnswer(const std::string& name, const api::Task& task) {
    MaskSite& site = sites.at(name);
    return federate::AnswerMaskStep(task, site.identity, site.kept);
  }

  std::set<std::string> All() const {
    std::set<std::string> out;
    for (const auto& [name, site] : sites) out.insert(name);
    return out;
  }

  // The steps. Each is for those that are `here`.
  void Keys(const std::set<std::string>& here) {
    keys.clear();
    for (const std::string& name : here) keys[name] = Answer(name, KeysTask());
    root.emplace(Must(federate::RootMasks::Make(which, keys, authority.Check())));
  }
  void Shares(const std::set<std::string>& here) {
    for (const std::string& name : here) {
      const Bytes deal = Answer(name, Task(api::TaskKind::kMaskShares, root->ForShares(name)));
      deals[name] = deal;
      Must(root->TakeDeal(name, deal));
    }
    root->Train(root->Dealt());
  }
  std::vector<std::uint32_t> Masked(const std::string& name) {
    MaskSite& site = sites.at(name);
    if (restarts) Restart(site);
    std::vector<std::uint32_t> words = site.plain;
    Must(federate::MaskWords(Task(api::TaskKind::kTrain, root->ForTraining(name, 0)), site.kept, words));
    return words;
  }
  federate::MaskedSum Train(const std::set<std::string>& here) {
    federate::MaskedSum sum(values_);
    for (const std::string& name : here) {
      const auto words = Masked(name);
      Must(sum.Fold({reinterpret_cast<const std::uint8_t*>(words.data()), words.size() * 4}, 1));
    }
    root->Close(here);
    return sum;
  }
  void Consents(const std::set<std::string>& here) {
    for (const std::string& name : here) {
      Must(root->TakeConsent(name, Answer(name, Task(api::TaskKind::kMaskConsent, root->ForConsent()))));
    }
  }
  void Gives(const std::set<std::string>& here) {
    for (const std::string& name : here) {
      Must(root->TakeShares(name, Answer(name, Task(api::TaskKind::kMaskUnmask, root->ForUnmask()))));
    }
  }
  std::vector<std::uint32_t> PlainSum(const std::set<std::string>& of) const {
    std::vector<std::uint32_t> out(values_);
    for (const std::string& name : of) {
      for (std::size_t i = 0; i < values_; ++i) out[i] += sites.at(name).plain[i];
    }
    return out;
  }

  federate::MaskTry which;
  MaskAuthority authority;
  std::map<std::string, MaskSite> sites;
  std::map<std::string, Bytes> keys;
  std::map<std::string, Bytes> deals;
  std::optional<federate::RootMasks> root;
  bool restarts = false;  // of every site before every step

 private:
  std::size_t values_;
};

}  // namespace ote::fake
