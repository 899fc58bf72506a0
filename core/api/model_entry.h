// A model in the registry of a root, and how models are referred to.
//
// A name has versions, 1 and up, and a number is never given twice. A version is a model file by its digest, with where
// it came from. A tag, such as `production`, stands for one version of a name at a time, and moves.
//
// A reference is one of: NAME (its newest version), NAME@VERSION, NAME@TAG, the id of a run (the newest model that it
// registered), a digest, or at least kShortestDigest hex digits that only one model's digest begins with.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/api/dataset.h"
#include "core/api/model.h"
#include "core/api/prepare.h"
#include "core/api/training.h"
#include "core/base/clock.h"
#include "core/base/codec.h"

namespace ote::api {

enum class ModelSource { kRun, kImport };

struct ModelEntry {
  static constexpr std::string_view kKind = "model";
  std::string name;
  std::int64_t version = 0;       // 0: not registered yet, or written by an ote that had no versions
  std::vector<std::string> tags;  // sorted
  std::string digest;
  std::int64_t size = 0;
  std::int64_t parameters = 0;
  ModelSpec model;
  DataTask task = DataTask::kClassification;
  std::int64_t features = 0;
  std::vector<std::string> classes;
  Preparation preparation;
  Metrics metrics;

  // Where it came from.
  ModelSource source = ModelSource::kRun;
  std::string run;
  std::int64_t round = 0;                 // of the run
  std::vector<std::string> participants;  // clusters whose updates went into it, sorted
  std::string spec_digest;                // of the run's spec: DumpJson(ToJson(spec))
  std::string parent;                     // digest of the model that it started from; "" for fresh parameters
  std::string ote_version;                // that registered it
  UnixMillis created_at = 0;

  // "digits@3": unique, and unlike the key of a row without a version, which is the name.
  std::string Key() const;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("version", self.version);
    v("tags", self.tags);
    v("digest", self.digest);
    v("size", self.size);
    v("parameters", self.parameters);
    v("model", self.model);
    v("task", self.task);
    v("features", self.features);
    v("classes", self.classes);
    v("preparation", self.preparation);
    v("metrics", self.metrics);
    v("source", self.source);
    v("run", self.run);
    v("round", self.round);
    v("participants", self.participants);
    v("specDigest", self.spec_digest);
    v("parent", self.parent);
    v("oteVersion", self.ote_version);
    v("createdAt", self.created_at);
  }
};

inline constexpr std::size_t kShortestDigest = 4;

// As a name (ids.h), and not a number, which is a version.
Result<void> CheckTag(std::string_view tag);
// The model that `reference` means. kModelUnknown when there is none; kModelAmbiguous when a beginning of a digest is
// that of several.
Result<ModelEntry> FindModel(std::span<const ModelEntry> models, std::string_view reference);

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::ModelSource> {
  using E = ote::api::ModelSource;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kRun, "run"}, {E::kImport, "import"}};
};
