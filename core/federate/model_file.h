// The file of a model: safetensors, with what is needed to use it in its metadata.
//
// Nothing of when, where or by which run it was made stands in it: the same learning gives the same file, and so the
// same digest. Metadata keys, all of them strings: "format" ("ote-model-1"), "ote.kind", "ote.task", "ote.model" (the
// ModelSpec as JSON), "ote.features" (a number), "ote.classes" (a JSON list, [] for regression),
// and "ote.preparation" (the Preparation as JSON) when there is one.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/api/dataset.h"
#include "core/api/prepare.h"
#include "core/api/training.h"
#include "core/learn/model.h"

namespace ote::federate {

struct ModelFile {
  api::ModelSpec spec;
  api::DataTask task = api::DataTask::kClassification;
  std::int64_t features = 0;
  std::vector<std::string> classes;
  api::Preparation preparation;  // of the rows that it takes; its features are the prepared columns
  learn::Layout layout;
  std::vector<float> values;  // all tensors side by side, in layout order

  // What learn::MakeModel takes.
  learn::Shape Shape() const noexcept;
  // The model itself. kRunInvalid, as learn::MakeModel says.
  Result<std::unique_ptr<learn::Model>> Make() const;
};

// Uses everything of `about` but its values: they are `values`, which must fit its layout.
Bytes MakeModelFile(const ModelFile& about, std::span<const float> values);
// Trusts nothing: kModelInvalid for a file that is not whole, that was not made by ote, or whose tensors are not those
// of the model that it says it holds. Values must be finite.
Result<ModelFile> ReadModelFile(ByteView bytes);

}  // namespace ote::federate
