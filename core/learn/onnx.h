// Models as ONNX files (https://onnx.ai, IR 8, opset 13), for programs that are not ote.
//
// The graph takes "features" [rows × features], as they are before the preparation, and gives "probabilities"
// [rows × classes] or "value" [rows × 1], for clusters the number of the nearest centroid: what Model::Predict gives,
// but for rounding. Trees take the operators of ai.onnx.ml 3, too.
//
// Read are chains of fully connected layers, as those of linear, softmax and mlp are written and other programs write
// them: Gemm, or MatMul with Add, with Relu or Tanh between, and Softmax at the end; before the first layer Sub, Mul
// and Add of constants, which go into its weights. Nothing else: a graph is untrusted, and what is not understood may
// not be passed over.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/api/dataset.h"
#include "core/api/prepare.h"
#include "core/api/training.h"
#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/learn/model.h"

namespace ote::learn {

struct OnnxModel {
  api::ModelSpec spec;
  api::DataTask task = api::DataTask::kClassification;
  Shape shape;
  std::vector<float> values;                    // in the layout of the spec's model
  std::map<std::string, std::string> metadata;  // texts that travel with the graph; not part of it
};

// kExportUnsupported for a kind that cannot be written, a model that is not Complete, columns of categories (an input
// of ONNX is numbers), and models of 2 GiB and more (a protocol buffer holds no more). A value that is missing is NaN.
// `values` are those of `model`.
Result<Bytes> WriteOnnx(const OnnxModel& model, const api::Preparation& preparation);

// `task` decides when the graph does not: without Softmax it is taken for regression. kModelInvalid for a file that is
// damaged; kOnnxUnsupported names the first operator that is not read.
Result<OnnxModel> ReadOnnx(ByteView bytes, std::optional<api::DataTask> task = std::nullopt);

}  // namespace ote::learn
