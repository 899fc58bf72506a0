// An ONNX model as plain data, as far as ote writes and reads it (ONNX IR 8, operators of opset 13).
//
// Graphs are built by Add and Constant, which give names to what they make:
//
//   const std::string weight = graph.Constant("layers.0.weight", {10, 64}, values);
//   const std::string out = graph.Add("Gemm", {input, weight, bias}, {{"transB", std::int64_t{1}}});
//
// A model says how it is written by ModelInfo::onnx, which does that.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/api/dataset.h"
#include "core/api/model.h"
#include "core/api/prepare.h"
#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/learn/model.h"

namespace ote::learn::onnx {

struct Tensor {
  std::string name;
  std::vector<std::int64_t> shape;
  std::variant<std::vector<float>, std::vector<std::int64_t>> values;  // row-major
};

struct Attribute {
  std::string name;
  std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>,
               std::vector<std::string>>
      value;
};

struct Node {
  std::string op;
  std::string domain;  // "" for the operators of ONNX itself, "ai.onnx.ml" for those of classical models
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::vector<Attribute> attributes;
};

// An input or an output, of float32 elements unless it holds int64.
struct Value {
  std::string name;
  std::vector<std::int64_t> shape;  // -1: any number of rows
  bool integers = false;
};

struct Graph {
  std::vector<Node> nodes;  // each after those whose values it takes
  std::vector<Tensor> tensors;
  std::vector<Value> inputs;
  std::vector<Value> outputs;
  std::map<std::string, std::string> metadata;
  std::map<std::string, std::int64_t> opsets = {{"", 13}};  // by domain

  // Adds a node and gives the name of its output; with `extra`, that many more outputs, "NAME.1" and so on. A domain
  // beside ONNX's own must be put into opsets, too.
  std::string Add(std::string op, std::vector<std::string> from, std::vector<Attribute> attributes = {},
                  std::string domain = {}, int extra = 0);
  // Adds a tensor and gives its name back.
  std::string Constant(std::string name, std::vector<std::int64_t> shape, std::span<const float> values);
  std::string Constant(std::string name, std::vector<std::int64_t> shape, std::span<const std::int64_t> values);
};

// The model that is to be written.
struct Source {
  const api::ModelSpec& spec;
  Shape shape;
  api::DataTask task;
  const Layout& layout;
  std::span<const float> parameters;
  const api::Preparation& preparation;  // a column for each feature, none of categories; or none at all

  // The values of one tensor of the layout; empty when it has none of that name.
  std::span<const float> Values(std::string_view tensor) const noexcept;
};

// Protocol buffers, and back. The same graph gives the same bytes. Decode trusts nothing: kModelInvalid for what is
// not whole or not understood, and no allocation is larger than a small multiple of the input.
Bytes Encode(const Graph& graph);
Result<Graph> Decode(ByteView bytes);

// ModelInfo::onnx of linear, softmax and mlp; of cnn, gbt and kmeans.
Result<std::string> WriteNetwork(Graph& graph, const Source& source, const std::string& input);
Result<std::string> WriteConvolution(Graph& graph, const Source& source, const std::string& input);
Result<std::string> WriteTrees(Graph& graph, const Source& source, const std::string& input);
Result<std::string> WriteCentroids(Graph& graph, const Source& source, const std::string& input);

// Parts of them. Each gives the name of its output.

// The features prepared, times the model's inputScale; steps that change nothing are left out.
std::string WriteInput(Graph& graph, const Source& source, const std::string& input);
// A tensor of the layout, under its own name.
std::string WriteTensor(Graph& graph, const Source& source, const TensorInfo& tensor);
std::string WriteActivation(Graph& graph, const Source& source, const std::string& input);
// The fully connected layers, a weight and a bias each, that stand in the layout from `first` on; and Softmax for
// classes.
std::string WriteLayers(Graph& graph, const Source& source, std::size_t first, const std::string& input);

}  // namespace ote::learn::onnx
