// Models that come from elsewhere, or go there: ONNX, and tensors in safetensors files that ote did not write.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/api/prepare.h"
#include "core/federate/model_file.h"

namespace ote::federate {

// What the tensors of a file are: `ote model import --spec`.
struct ForeignSpec {
  api::ModelSpec model;
  api::DataTask task = api::DataTask::kClassification;
  std::int64_t features = 0;
  std::vector<std::string> classes;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("model", self.model, kRequired);
    v("task", self.task);
    v("features", self.features, kRequired);
    v("classes", self.classes);
  }
};

// Whether a safetensors file says that ote wrote it.
bool IsModelFileOfOte(ByteView bytes);
// The model of `spec` with the tensors of a safetensors file, which must have the names and shapes of its layout, in
// any order. kModelInvalid names the first that does not; kRunInvalid for a spec that cannot be.
Result<ModelFile> ReadForeignModel(ByteView bytes, const ForeignSpec& spec);

// The model as ONNX, learn::WriteOnnx; its metadata says what the model file's says.
Result<Bytes> WriteOnnxFile(const ModelFile& model, const api::Preparation& preparation);
// learn::ReadOnnx. The classes are `classes`, or those that ote wrote into the metadata, or "0", "1" and so on.
Result<ModelFile> ReadOnnxFile(ByteView bytes, std::optional<api::DataTask> task,
                               const std::vector<std::string>& classes);

// Of two models, tensor by tensor.
struct TensorDifference {
  std::string name;
  std::vector<std::int64_t> shape;
  double max_abs = 0;  // the largest distance of two elements
  double l2 = 0;       // the Euclidean distance
  double cosine = 1;   // of the angle between them; 0 when one is all zeros and the other is not
};
struct ModelDifference {
  std::vector<TensorDifference> tensors;  // those of the same name and shape, in the order of `a`
  std::vector<std::string> only_a;        // names that the other lacks, or has in another shape
  std::vector<std::string> only_b;
};
ModelDifference Compare(const ModelFile& a, const ModelFile& b);

}  // namespace ote::federate
