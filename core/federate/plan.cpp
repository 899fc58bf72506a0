#include "core/federate/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/units.h"
#include "core/federate/compress/update_form.h"
#include "core/federate/masks/side.h"
#include "core/federate/plan_pairs.h"
#include "core/federate/privacy/cost.h"
#include "core/federate/strategy.h"
#include "core/learn/models.h"
#include "core/learn/prepare.h"
#include "core/tree/selector.h"

namespace ote::federate {
namespace {

// The noise of a count, by the noise of all: with as much, the sum needs less than twice of what it needs without.
constexpr double kLeastCountNoise = 0.6;
// Distributed noise times the clipping norm, by the bound of masked values: ten deviations fit beside the sums.
constexpr double kMostPartNoise = 500;

tl::unexpected<Error> No(std::string message, std::string hint) {
  return Fail(ErrorId::kRunInvalid, std::move(message), std::move(hint));
}

Result<void> CheckStrategy(const api::RunSpec& spec) {
  using K = api::StrategyKind;
  const api::StrategySpec& strategy = spec.strategy;
  const std::string_view kind = NameOf(strategy.kind);
  if (strategy.kind == K::kFedBuff && strategy.buffer < spec.sites.minimum) {
    return No(fmt::format("strategy.buffer: a buffer of {} closes a round before the sites.minimum of {} is there",
                          strategy.buffer, spec.sites.minimum),
              fmt::format("set strategy.buffer: {}", spec.sites.minimum));
  }
  if (strategy.kind == K::kKrum || strategy.kind == K::kMultiKrum) {
    const std::int64_t need = 2 * strategy.byzantine.value_or(0) + 3;
    if (spec.sites.minimum < need) {
      return No(fmt::format("sites.minimum: {} needs {} updates in each round, and {} would do for a round to close",
                            kind, need, spec.sites.minimum),
                fmt::format("set sites.minimum: {}", need));
    }
  }
  if (strategy.kind == K::kMultiKrum && strategy.keep && strategy.byzantine &&
      *strategy.keep > spec.sites.minimum - *strategy.byzantine) {
    return No(fmt::format("strategy.keep: of {} updates {} may be lies, so {} cannot all be kept", spec.sites.minimum,
                          *strategy.byzantine, *strategy.keep),
              fmt::format("set strategy.keep: {}", spec.sites.minimum - *strategy.byzantine));
  }
  return {};
}

Result<void> CheckPrepare(const api::RunSpec& spec) {
  const bool classifies = spec.task == api::DataTask::kClassification;
  if (spec.prepare.class_weights != api::ClassWeights::kNone && !classifies) {
    return No(fmt::format("prepare.classWeights: a {} has no classes", NameOf(spec.task)), "leave classWeights out");
  }
  if (spec.prepare.class_weights != api::ClassWeights::kNone && spec.trainer != api::TrainerKind::kBuiltin) {
    return No("prepare.classWeights: a site's own trainer weighs its rows itself", "set trainer: builtin");
  }
  if (spec.prepare.class_weights != api::ClassWeights::kNone && learn::InfoOf(spec.model.kind).statistical) {
    return No(fmt::format("prepare.classWeights: {} counts every row once", NameOf(spec.model.kind)),
              "leave classWeights out");
  }
  if (spec.prepare.one_hot && spec.model.kind == api::ModelKind::kCnn) {
    return No("prepare.oneHot: cnn reads the columns as the pixels of an image, and an image has no categories",
              "leave oneHot out");
  }
  return {};
}

Result<void> CheckStop(const api::RunSpec& spec) {
  const bool asked = spec.stop.target || spec.stop.patience > 0 || spec.stop.select == api::Selection::kBest;
  if (!asked || spec.stop.metric == api::Measure::kLoss) return {};
  const bool classifies = spec.task == api::DataTask::kClassification;
  const bool fits = spec.stop.metric == api::Measure::kRmse ? spec.task == api::DataTask::kRegression : classifies;
  if (fits) return {};
  return No(fmt::format("stop.metric: a {} has no {}", NameOf(spec.task), NameOf(spec.stop.metric)),
            fmt::format("set stop.metric: {}", classifies                                ? "loss, accuracy or auc"
                                               : spec.task == api::DataTask::kRegression ? "loss or rmse"
                                                                                         : "loss"));
}

// What noise needs beside a strategy that it goes with.
Result<void> CheckPrivacy(const api::RunSpec& spec) {
  const api::PrivacySpec& privacy = spec.privacy;
  if (privacy.kind == api::NoiseKind::kDistributed && spec.masks.kind == api::MaskKind::kNone) {
    return No("privacy.kind: a part of the noise hides nothing of an update that the root sees by itself",
              "set secureAggregation.kind: pairwise");
  }
  const double room = kMostPartNoise * spec.masks.bound;
  if (privacy.kind == api::NoiseKind::kDistributed && privacy.noise_multiplier * privacy.clip_norm > room) {
    return No(
        fmt::format("secureAggregation.bound: noise of {} times a norm of {} does not fit into masked sums of "
                    "values up to {}",
                    privacy.noise_multiplier, privacy.clip_norm, spec.masks.bound),
        fmt::format("set secureAggregation.bound: {}", privacy.noise_multiplier * privacy.clip_norm / kMostPartNoise));
  }
  if (privacy.clipping == api::ClipKind::kAdaptive && privacy.kind == api::NoiseKind::kNone) {
    return No("privacy.clipping: without noise nothing is clipped", "set privacy.kind: central");
  }
  if (privacy.clipping == api::ClipKind::kAdaptive && privacy.clip_count_noise > 0 &&
      privacy.clip_count_noise < kLeastCountNoise * privacy.noise_multiplier) {
    return No(fmt::format("privacy.clipCountNoise: the count that the norm follows is told too, and with noise of {} "
                          "nothing of the budget is left for the sum",
                          privacy.clip_count_noise),
              fmt::format("set privacy.clipCountNoise: {}", privacy.noise_multiplier));
  }
  if (privacy.kind == api::NoiseKind::kCentral && spec.strategy.kind == api::StrategyKind::kFedBuff &&
      spec.sites.fraction < 1) {
    return No("sites.fraction: fedbuff takes whoever answers first, and a site's chance to be in a sum is not the part",
              "set sites.fraction: 1");
  }
  return CheckCost(spec);
}

// An empty one is no selector here either: everybody is meant where none stands.
Result<void> CheckSelector(const api::RunSpec& spec) {
  if (!spec.sites.selector.text) return {};
  auto parsed = tree::Selector::Parse(*spec.sites.selector.text);
  if (parsed) return {};
  Error error = std::move(parsed).error().Context("sites.selector");
  if (error.id == ErrorId::kSelectorEmpty) error.hint = "leave sites.selector out to mean all with the data set";
  return Fail(std::move(error));
}

Result<void> CheckRelays(const api::RunSpec& spec) {
  if (spec.relays == api::RelayKind::kCarry || spec.record.updates != api::KeepUpdates::kKeep) return {};
  return No("relays: the record is to keep each update, and a relay that folds passes on their sum alone",
            "set relays: carry");
}

}  // namespace

Result<void> CheckPlan(const api::RunSpec& spec) {
  OTE_CHECK(api::Validate(spec));
  OTE_CHECK(learn::CheckTask(spec.model, spec.task));
  OTE_CHECK(CheckPairs(spec));
  OTE_CHECK(CheckStrategy(spec));
  OTE_CHECK(CheckPrepare(spec));
  OTE_CHECK(CheckStop(spec));
  OTE_CHECK(CheckSelector(spec));
  OTE_CHECK(CheckRelays(spec));
  return CheckPrivacy(spec);
}

bool IsLocal(const api::PersonalSpec& spec, const learn::TensorInfo& tensor) {
  return std::any_of(spec.layers.begin(), spec.layers.end(), [&tensor](const std::string& layer) {
    const bool begins = tensor.name.compare(0, layer.size(), layer) == 0;
    return begins && (tensor.name.size() == layer.size() || tensor.name[layer.size()] == '.');
  });
}

Result<void> CheckLayers(const api::PersonalSpec& spec, const learn::Layout& layout) {
  std::size_t local = 0;
  for (const learn::TensorInfo& tensor : layout) local += IsLocal(spec, tensor) ? 1U : 0U;
  std::string names;
  for (const learn::TensorInfo& tensor : layout) names += (names.empty() ? "" : ", ") + tensor.name;
  for (const std::string& layer : spec.layers) {
    api::PersonalSpec one;
    one.layers = {layer};
    const bool known = std::any_of(layout.begin(), layout.end(), [&](const auto& t) { return IsLocal(one, t); });
    if (!known) {
      return No(fmt::format("personalization.layers: the model has no tensor {}", layer), "its tensors are " + names);
    }
  }
  if (local > 0 && local == layout.size()) {
    return No("personalization.layers: all layers stay at the sites, so there is nothing to train together",
              "leave some of these out: " + names);
  }
  return {};
}

Result<void> CheckStart(const api::Run& run, const ModelFile& from, std::int64_t raw_features) {
  const auto differs = [&run](std::string_view what) {
    return Fail(ErrorId::kModelDataMismatch, fmt::format("from: model {} {}", run.spec.from, what),
                "ote model show " + run.spec.from);
  };
  if (from.spec != run.spec.model) return differs("is of another kind or other settings than model says");
  if (from.task != run.spec.task) return differs(fmt::format("is for {}", NameOf(from.task)));
  const bool prepared = !from.preparation.columns.empty();
  const std::int64_t takes = prepared ? static_cast<std::int64_t>(from.preparation.columns.size()) : from.features;
  if (takes != raw_features) {
    return differs(fmt::format("takes {} columns, and the data set has {}", takes, raw_features));
  }
  for (const std::string& name : run.classes) {
    if (std::find(from.classes.begin(), from.classes.end(), name) != from.classes.end()) continue;
    return differs(fmt::format("does not know the class {}", name));
  }
  return {};
}

namespace {

// Of a model that trains by steps.
UpdateForm FormOf(const api::RunSpec& spec, std::int64_t parameters) {
  const auto vectors = static_cast<std::size_t>(MakeStrategy(spec.strategy)->Vectors());
  return {spec.compression, vectors * static_cast<std::size_t>(parameters), vectors};
}

}  // namespace

std::string DescribeMemory(const api::RunSpec& spec, std::int64_t sites, std::int64_t parameters) {
  const auto strategy = MakeStrategy(spec.strategy);
  const auto size = [](auto bytes) { return FormatSize(static_cast<std::uint64_t>(bytes)); };
  const std::int64_t update = strategy->Vectors() * parameters * static_cast<std::int64_t>(sizeof(float));
  if (!strategy->NeedsAll()) {
    const std::int64_t state = strategy->StateVectors() * parameters * static_cast<std::int64_t>(sizeof(float));
    return fmt::format("a round takes {} of memory at the root, however many clusters there are",
                       size(parameters * static_cast<std::int64_t>(sizeof(float)) + 2 * update + state));
  }
  const auto bound = static_cast<std::int64_t>(*ParseSize(spec.strategy.memory));
  return fmt::format(
      "{} needs every update at once: a round keeps {} updates of {} on disk and reads them through {} of "
      "memory",
      NameOf(spec.strategy.kind), sites, size(SizeOf(FormOf(spec, parameters))), size(std::min(bound, sites * update)));
}

std::string DescribeUpdate(const api::RunSpec& spec, std::int64_t parameters) {
  if (learn::InfoOf(spec.model.kind).statistical) return {};
  const bool masked = spec.masks.kind != api::MaskKind::kNone;
  const UpdateForm form = FormOf(spec, parameters);
  const std::uint64_t size = SizeOf(form) + (masked ? MaskSideWords() * sizeof(std::uint32_t) : 0);
  const std::string text = fmt::format("an update is {}", FormatSize(size));
  if (!form.Compressed()) return text;
  return fmt::format("{}, and {} without compression", text, FormatSize(form.values * sizeof(float)));
}

}  // namespace ote::federate
