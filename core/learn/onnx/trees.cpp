// Boosted trees as ONNX: one TreeEnsembleRegressor of ai.onnx.ml gives the margins, and what the objective makes of
// them follows.
#include <fmt/format.h>

#include <limits>
#include <utility>
#include <vector>

#include "core/learn/onnx/graph.h"
#include "core/learn/trees/cuts.h"
#include "core/learn/trees/forest.h"

namespace ote::learn::onnx {
namespace {

using trees::Forest;
using trees::Objective;
using trees::Plan;

using Ints = std::vector<std::int64_t>;

constexpr std::string_view kDomain = "ai.onnx.ml";
constexpr std::int64_t kDomainVersion = 3;
// A node takes up to 64 bytes of a file that holds less than 2 GiB.
constexpr std::size_t kMostNodes = (std::size_t{1} << 31) / 64 - (std::size_t{1} << 16);

// A split of the features as they are: what is true of a row goes left.
struct Split {
  std::string_view mode;
  float value = 0;
  bool missing_left = false;
};

// What the model sees of a feature: as Prepare makes it, times inputScale, which is above 0. It rises with the feature,
// or falls where the scale of the column is below 0.
class Seen {
 public:
  Seen(const Source& source, std::size_t feature) : input_scale_(static_cast<float>(source.spec.input_scale)) {
    if (!source.preparation.columns.empty()) column_ = &source.preparation.columns[feature];
  }

  // The split of rows for which it is below `threshold`, and of missing values that go left without a fill.
  Split Below(float threshold, bool missing_left) const {
    const bool falls = column_ != nullptr && column_->scale < 0;
    // The first value, in the order of keys, that is on the other side than the least.
    std::uint64_t low = 0;
    std::uint64_t high = std::uint64_t{1} << 32;
    while (low < high) {
      const std::uint64_t middle = (low + high) / 2;
      const float value = trees::ValueOf(static_cast<std::uint32_t>(middle));
      if ((Of(static_cast<double>(value)) >= threshold) != falls) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    if (column_ != nullptr && column_->fill) missing_left = Of(*column_->fill) < threshold;
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    if (falls) return {"BRANCH_GT", low == 0 ? -kInfinity : KeyValue(low - 1), missing_left};
    return {"BRANCH_LT", low >> 32 != 0 ? kInfinity : KeyValue(low), missing_left};
  }

 private:
  static float KeyValue(std::uint64_t key) { return trees::ValueOf(static_cast<std::uint32_t>(key)); }
  float Of(double value) const {
    const double prepared = column_ == nullptr ? value : (value - column_->shift) * column_->scale;
    return static_cast<float>(prepared) * input_scale_;
  }

  float input_scale_;
  const api::ColumnPreparation* column_ = nullptr;
};

// The lists of the operator: one element a node, and one a leaf.
class Ensemble {
 public:
  Ensemble(const Source& source, const Plan& plan, const Forest<const float>& forest)
      : source_(source), plan_(plan), forest_(forest) {}

  // False when there are too many nodes.
  bool AddTree(std::int64_t tree) {
    tree_ = tree;
    // Nodes are numbered in the order in which they are met; each is known by its place in the full tree.
    std::vector<std::int64_t> waiting = {0};
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if (ids_.size() >= kMostNodes) return false;
      AddNode(static_cast<std::int64_t>(i), waiting);
    }
    return true;
  }

  std::vector<Attribute> Attributes() && {
    return {{"aggregate_function", std::string("SUM")},
            {"base_values", std::vector<float>(forest_.base.begin(), forest_.base.end())},
            {"n_targets", plan_.series},
            {"nodes_falsenodeids", std::move(right_)},
            {"nodes_featureids", std::move(features_)},
            {"nodes_missing_value_tracks_true", std::move(missing_left_)},
            {"nodes_modes", std::move(modes_)},
            {"nodes_nodeids", std::move(ids_)},
            {"nodes_treeids", std::move(trees_)},
            {"nodes_truenodeids", std::move(left_)},
            {"nodes_values", std::move(thresholds_)},
            {"post_transform", std::string("NONE")},
            {"target_ids", std::move(targets_)},
            {"target_nodeids", std::move(leaf_ids_)},
            {"target_treeids", std::move(leaf_trees_)},
            {"target_weights", std::move(weights_)}};
  }

 private:
  // What a node splits by, or 0: see Forest::feature.
  std::int64_t FeatureAt(std::int64_t place) const {
    return static_cast<std::int64_t>(forest_.feature[static_cast<std::size_t>(tree_ * plan_.Splits() + place)]);
  }

  void AddNode(std::int64_t id, std::vector<std::int64_t>& waiting) {
    std::int64_t place = waiting[static_cast<std::size_t>(id)];
    // A node that does not split sends all rows to its left child, so that the child may stand for it.
    while (place < plan_.Splits() && FeatureAt(place) <= 0) place = 2 * place + 1;
    ids_.push_back(id);
    trees_.push_back(tree_);
    if (place < plan_.Splits()) {
      const auto split = static_cast<std::size_t>(tree_ * plan_.Splits() + place);
      const auto next = static_cast<std::int64_t>(waiting.size());
      waiting.push_back(2 * place + 1);
      waiting.push_back(2 * place + 2);
      const std::int64_t feature = FeatureAt(place) - 1;
      const Split below =
          Seen(source_, static_cast<std::size_t>(feature)).Below(forest_.threshold[split], forest_.missing[split] == 0);
      modes_.emplace_back(below.mode);
      features_.push_back(feature);
      thresholds_.push_back(below.value);
      missing_left_.push_back(below.missing_left ? 1 : 0);
      left_.push_back(next);
      right_.push_back(next + 1);
      return;
    }
    modes_.emplace_back("LEAF");
    features_.push_back(0);
    thresholds_.push_back(0);
    missing_left_.push_back(0);
    left_.push_back(0);
    right_.push_back(0);
    leaf_ids_.push_back(id);
    leaf_trees_.push_back(tree_);
    targets_.push_back(tree_ % plan_.series);
    weights_.push_back(forest_.value[static_cast<std::size_t>(tree_ * plan_.Leaves() + place - plan_.Splits())]);
  }

  const Source& source_;
  const Plan& plan_;
  const Forest<const float>& forest_;
  std::int64_t tree_ = 0;
  Ints ids_, trees_, features_, missing_left_, left_, right_;
  std::vector<float> thresholds_;
  std::vector<std::string> modes_;
  Ints leaf_ids_, leaf_trees_, targets_;
  std::vector<float> weights_;
};

// What the margins of a row say.
std::string WriteOutputs(Graph& graph, Objective objective, const std::string& margins) {
  if (objective == Objective::kSquare) return margins;
  if (objective == Objective::kSoftmax) return graph.Add("Softmax", {margins}, {{"axis", std::int64_t{1}}});
  const std::string both = graph.Add("Concat", {graph.Add("Neg", {margins}), margins}, {{"axis", std::int64_t{1}}});
  return graph.Add("Sigmoid", {both});
}

}  // namespace

Result<std::string> WriteTrees(Graph& graph, const Source& source, const std::string& input) {
  OTE_TRY(const Plan plan, trees::MakePlan(source.spec, source.shape, source.task));
  OTE_TRY(const trees::Progress progress, trees::Check(plan, source.parameters));
  const Forest<const float> forest = View(plan, source.parameters);
  if (progress.trees == 0) return Fail(ErrorId::kExportUnsupported, "onnx: the model has no tree yet");
  Ensemble ensemble(source, plan, forest);
  for (std::int64_t tree = 0; tree < progress.trees * plan.series; ++tree) {
    if (ensemble.AddTree(tree)) continue;
    return Fail(ErrorId::kExportUnsupported,
                fmt::format("onnx: the trees have more than {} nodes; a file holds less than 2 GiB", kMostNodes),
                "ote model export --format safetensors");
  }
  graph.opsets[std::string(kDomain)] = kDomainVersion;
  const std::string margins =
      graph.Add("TreeEnsembleRegressor", {input}, std::move(ensemble).Attributes(), std::string(kDomain));
  return WriteOutputs(graph, plan.objective, margins);
}

}  // namespace ote::learn::onnx
