#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/learn/models.h"
#include "core/learn/onnx.h"
#include "core/learn/onnx/graph.h"

namespace ote::learn {
namespace {

using onnx::Attribute;
using onnx::Node;
using onnx::Tensor;
using Floats = std::vector<float>;

tl::unexpected<Error> Bad(std::string why) { return Fail(ErrorId::kModelInvalid, "onnx: " + std::move(why)); }
tl::unexpected<Error> Unread(std::string why) {
  return Fail(ErrorId::kOnnxUnsupported, "onnx: " + std::move(why), "ote explain E0405");
}

constexpr std::size_t kMostSteps = 17;  // sixteen hidden layers and one for the output

struct Dense {
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
  Floats weight;  // outputs × inputs
  Floats bias;    // empty: none was there yet
};

// Follows the one value from the input to the output.
class Chain {
 public:
  explicit Chain(const onnx::Graph& graph) : graph_(graph) {
    for (const Tensor& tensor : graph.tensors) tensors_.emplace(tensor.name, &tensor);
  }

  Result<OnnxModel> Read(std::optional<api::DataTask> task) {
    OTE_CHECK(Begin());
    for (const Node& node : graph_.nodes) OTE_CHECK(Follow(node));
    if (graph_.outputs.size() != 1 || graph_.outputs.front().name != at_) {
      return Unread("its output is not what its last operator gives");
    }
    if (layers_.empty()) return Unread("it has no layer");
    if (active_) return Unread(fmt::format("it ends in {}", NameOf(*activation_)));
    OTE_CHECK(FoldInput());
    return Make(task);
  }

 private:
  Result<void> Begin() {
    if (tensors_.size() != graph_.tensors.size()) return Bad("two tensors of one name");
    // Before IR 4 the tensors stand among the inputs.
    for (const onnx::Value& value : graph_.inputs) {
      if (tensors_.contains(value.name)) continue;
      if (!at_.empty()) return Unread("it has more than one input");
      if (value.integers || value.name.empty()) return Unread("its input is not of float32");
      at_ = value.name;
      if (value.shape.size() == 2 && value.shape[1] > 0) features_ = value.shape[1];
    }
    if (at_.empty()) return Unread("it has no input");
    return {};
  }

  Result<void> Follow(const Node& node) {
    if (!node.domain.empty() && node.domain != "ai.onnx") return Unknown(node);
    const bool known = node.op == "Gemm" || node.op == "MatMul" || node.op == "Add" || node.op == "Sub" ||
                       node.op == "Mul" || node.op == "Relu" || node.op == "Tanh" || node.op == "Softmax";
    if (!known) return Unknown(node);
    if (node.outputs.size() != 1 || node.outputs.front().empty() || tensors_.contains(node.outputs.front()) ||
        !seen_.insert(node.outputs.front()).second) {
      return Unread(fmt::format("{}: its output is not one new value", node.op));
    }
    if (ended_) return Unread(fmt::format("{} after Softmax", node.op));
    auto done = node.op == "Gemm"                                          ? Gemm(node)
                : node.op == "MatMul"                                      ? MatMul(node)
                : node.op == "Add" || node.op == "Sub" || node.op == "Mul" ? Elementwise(node)
                : node.op == "Softmax"                                     ? Softmax(node)
                                                                           : Activate(node);
    if (!done) return done;
    at_ = node.outputs.front();
    return {};
  }

  static tl::unexpected<Error> Unknown(const Node& node) {
    return Unread(fmt::format("the operator {}{}{} is not read", node.domain, node.domain.empty() ? "" : ".", node.op));
  }

  // A constant of floats, by the place where it is taken.
  Result<const Tensor*> Constant(const Node& node, std::size_t place) const {
    const auto it = place < node.inputs.size() ? tensors_.find(node.inputs[place]) : tensors_.end();
    if (it == tensors_.end() || !std::holds_alternative<Floats>(it->second->values)) {
      return Unread(fmt::format("{}: its input {} is not a constant of float32", node.op, place + 1));
    }
    return it->second;
  }
  static const Floats& ValuesOf(const Tensor& tensor) { return std::get<Floats>(tensor.values); }
  Result<void> Takes(const Node& node, std::size_t least, std::size_t most) const {
    if (node.inputs.size() >= least && node.inputs.size() <= most && node.inputs.front() == at_) return {};
    return Unread(fmt::format("{}: it does not take what comes before it", node.op));
  }

  Result<void> AddLayer(const Node& node, const Tensor& weight, bool transposed) {
    if (weight.shape.size() != 2) return Unread(fmt::format("{}: its weights are no matrix", node.op));
    if (!layers_.empty() && !active_) return Unread(fmt::format("{}: no Relu or Tanh before it", node.op));
    // Many layers may take the same tensor, and each has a copy of it.
    if (layers_.size() >= kMostSteps) return Unread(fmt::format("more than {} layers", kMostSteps));
    Dense layer;
    layer.outputs = weight.shape[transposed ? 0 : 1];
    layer.inputs = weight.shape[transposed ? 1 : 0];
    const std::int64_t before = layers_.empty() ? features_.value_or(layer.inputs) : layers_.back().outputs;
    if (layer.inputs != before || layer.inputs < 1 || layer.outputs < 1) {
      return Bad(fmt::format("{}: its weights are [{}, {}] after {} values", node.op, weight.shape[0], weight.shape[1],
                             before));
    }
    layer.weight = ValuesOf(weight);
    if (!transposed) {
      const auto rows = static_cast<std::size_t>(layer.inputs);
      const auto columns = static_cast<std::size_t>(layer.outputs);
      for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < columns; ++j) layer.weight[j * rows + i] = ValuesOf(weight)[i * columns + j];
      }
    }
    features_ = layers_.empty() ? layer.inputs : features_;
    layers_.push_back(std::move(layer));
    active_ = false;
    return {};
  }

  Result<void> AddBias(const Node& node, const Tensor& bias) {
    Dense& layer = layers_.back();
    const bool flat = bias.shape.size() == 1 || (bias.shape.size() == 2 && bias.shape[0] == 1);
    if (!flat || std::cmp_not_equal(ValuesOf(bias).size(), layer.outputs)) {
      return Unread(fmt::format("{}: what is added is not one number for each of {} values", node.op, layer.outputs));
    }
    layer.bias = ValuesOf(bias);
    return {};
  }

  Result<void> Gemm(const Node& node) {
    OTE_CHECK(Takes(node, 2, 3));
    bool transposed = false;
    for (const Attribute& attribute : node.attributes) {
      const auto* const whole = std::get_if<std::int64_t>(&attribute.value);
      const auto* const real = std::get_if<float>(&attribute.value);
      if (attribute.name == "transB" && whole != nullptr) {
        transposed = *whole != 0;
      } else if (!(attribute.name == "transA" && whole != nullptr && *whole == 0) &&
                 !((attribute.name == "alpha" || attribute.name == "beta") && real != nullptr && *real == 1.0F)) {
        return Unread(fmt::format("Gemm: {} is not read, or not with this value", attribute.name));
      }
    }
    OTE_TRY(const Tensor* const weight, Constant(node, 1));
    OTE_CHECK(AddLayer(node, *weight, transposed));
    if (node.inputs.size() < 3 || node.inputs[2].empty()) return {};
    OTE_TRY(const Tensor* const bias, Constant(node, 2));
    return AddBias(node, *bias);
  }

  Result<void> MatMul(const Node& node) {
    OTE_CHECK(Takes(node, 2, 2));
    OTE_TRY(const Tensor* const weight, Constant(node, 1));
    return AddLayer(node, *weight, false);
  }

  // The bias of a MatMul, or of the input before the first layer: x becomes x * scale + offset.
  Result<void> Elementwise(const Node& node) {
    // Either side may be the constant but for a difference.
    const bool swapped = node.op != "Sub" && node.inputs.size() == 2 && node.inputs[1] == at_;
    if (!swapped) OTE_CHECK(Takes(node, 2, 2));
    OTE_TRY(const Tensor* const tensor, Constant(node, swapped ? 0 : 1));
    if (!layers_.empty()) {
      if (node.op != "Add" || active_ || !layers_.back().bias.empty()) {
        return Unread(fmt::format("{} of a constant, other than the bias of a layer", node.op));
      }
      return AddBias(node, *tensor);
    }
    const Floats& values = ValuesOf(*tensor);
    const bool row = tensor->shape.size() <= 1 || (tensor->shape.size() == 2 && tensor->shape[0] == 1);
    if (values.size() != 1 && !features_) features_ = static_cast<std::int64_t>(values.size());
    if (!row || values.empty() || (values.size() != 1 && std::cmp_not_equal(values.size(), *features_))) {
      return Unread(fmt::format("{}: its constant is not one number for each feature", node.op));
    }
    if (input_.size() >= kMostSteps) return Unread(fmt::format("more than {} steps before a layer", kMostSteps));
    input_.push_back({node.op, &values});
    return {};
  }

  Result<void> Activate(const Node& node) {
    OTE_CHECK(Takes(node, 1, 1));
    const auto kind = node.op == "Relu" ? api::Activation::kRelu : api::Activation::kTanh;
    if (layers_.empty() || active_) return Unread(fmt::format("{} that no layer comes before", node.op));
    if (activation_ && *activation_ != kind) return Unread("Relu and Tanh in one model");
    activation_ = kind;
    active_ = true;
    return {};
  }

  Result<void> Softmax(const Node& node) {
    OTE_CHECK(Takes(node, 1, 1));
    if (layers_.empty() || active_) return Unread("Softmax that no layer comes before");
    for (const Attribute& attribute : node.attributes) {
      const auto* const axis = std::get_if<std::int64_t>(&attribute.value);
      if (attribute.name != "axis" || axis == nullptr || (*axis != 1 && *axis != -1)) {
        return Unread(fmt::format("Softmax: {} is not read, or not with this value", attribute.name));
      }
    }
    ended_ = true;
    return {};
  }

  // One factor for all features is the model's inputScale; anything else becomes a part of the first layer, in
  // binary64.
  Result<void> FoldInput() {
    if (input_.empty()) return {};
    if (input_.size() == 1 && input_.front().op == "Mul" && input_.front().values->size() == 1) {
      input_scale_ = input_.front().values->front();
      return {};
    }
    Dense& first = layers_.front();
    const auto inputs = static_cast<std::size_t>(first.inputs);
    std::vector<double> scale(inputs, 1.0);
    std::vector<double> offset(inputs, 0.0);
    for (const Step& step : input_) {
      for (std::size_t i = 0; i < inputs; ++i) {
        const double value = (*step.values)[step.values->size() == 1 ? 0 : i];
        if (step.op == "Mul") {
          scale[i] *= value;
          offset[i] *= value;
        } else {
          offset[i] += step.op == "Add" ? value : -value;
        }
      }
    }
    if (first.bias.empty()) first.bias.assign(static_cast<std::size_t>(first.outputs), 0.0F);
    for (std::size_t o = 0; o < first.bias.size(); ++o) {
      double bias = first.bias[o];
      for (std::size_t i = 0; i < inputs; ++i) {
        float& weight = first.weight[o * inputs + i];
        bias += static_cast<double>(weight) * offset[i];
        weight = static_cast<float>(static_cast<double>(weight) * scale[i]);
      }
      first.bias[o] = static_cast<float>(bias);
    }
    return {};
  }

  Result<OnnxModel> Make(std::optional<api::DataTask> task) {
    OnnxModel model;
    model.task = ended_ ? api::DataTask::kClassification : task.value_or(api::DataTask::kRegression);
    if (task && *task != model.task) return Unread(fmt::format("it ends in Softmax, and task is {}", NameOf(*task)));
    model.shape = {*features_, layers_.back().outputs};
    if (model.task == api::DataTask::kRegression && model.shape.outputs > 1) {
      return Unread(fmt::format("it ends in {} values without Softmax", model.shape.outputs));
    }
    model.spec.kind = layers_.size() > 1                             ? api::ModelKind::kMlp
                      : model.task == api::DataTask::kClassification ? api::ModelKind::kSoftmax
                                                                     : api::ModelKind::kLinear;
    if (layers_.size() > 1) model.spec.hidden.clear();
    for (std::size_t i = 0; i + 1 < layers_.size(); ++i) model.spec.hidden.push_back(layers_[i].outputs);
    if (activation_) model.spec.activation = *activation_;
    // As short as it is told: 0.0625, and 0.1 rather than 0.10000000149.
    model.spec.input_scale = std::stod(fmt::format("{}", input_scale_));
    if (const auto valid = api::Validate(model.spec); !valid) return Unread(valid.error().message);
    for (Dense& layer : layers_) {
      layer.bias.resize(static_cast<std::size_t>(layer.outputs));
      model.values.insert(model.values.end(), layer.weight.begin(), layer.weight.end());
      model.values.insert(model.values.end(), layer.bias.begin(), layer.bias.end());
    }
    if (!std::all_of(model.values.begin(), model.values.end(), [](float v) { return std::isfinite(v); })) {
      return Bad("a value is NaN or infinite");
    }
    OTE_TRY(const auto made, MakeModel(model.spec, model.shape, model.task));
    if (std::cmp_not_equal(model.values.size(), TotalCount(made->GetLayout()))) return Bad("its layers do not fit");
    model.metadata = graph_.metadata;
    return model;
  }

  struct Step {
    std::string op;
    const Floats* values;
  };

  const onnx::Graph& graph_;
  std::map<std::string_view, const Tensor*> tensors_;
  std::set<std::string> seen_;
  std::string at_;  // the name of the value that was made last
  std::optional<std::int64_t> features_;
  std::vector<Step> input_;
  std::vector<Dense> layers_;
  std::optional<api::Activation> activation_;
  bool active_ = false;  // an activation came last
  bool ended_ = false;   // Softmax came
  float input_scale_ = 1;
};

}  // namespace

Result<OnnxModel> ReadOnnx(ByteView bytes, std::optional<api::DataTask> task) {
  OTE_TRY(const onnx::Graph graph, onnx::Decode(bytes));
  return Chain(graph).Read(task);
}

}  // namespace ote::learn
