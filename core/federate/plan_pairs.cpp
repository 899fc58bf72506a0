#include "core/federate/plan_pairs.h"

#include <algorithm>
#include <array>
#include <string>

#include "core/learn/models.h"

namespace ote::federate {
namespace {

using S = api::StrategyKind;
using N = api::NoiseKind;
using P = api::PersonalKind;
using C = api::CompressionKind;
using Spec = api::RunSpec;
using Example = std::string_view;

template <S... kKinds>
bool Is(const Spec& spec) {
  return ((spec.strategy.kind == kKinds) || ...);
}
template <N kKind>
bool Noise(const Spec& spec) {
  return spec.privacy.kind == kKind;
}
template <C kKind>
bool Compresses(const Spec& spec) {
  return spec.compression.kind == kKind;
}
bool Statistical(const Spec& spec) { return learn::InfoOf(spec.model.kind).statistical; }
bool Stops(const Spec& spec) {
  return spec.stop.target || spec.stop.patience > 0 || spec.stop.select == api::Selection::kBest;
}

constexpr std::array kFedAvg = {Example("strategy: {kind: fedavg}")};
constexpr std::array kOptimisers = {Example("strategy: {kind: fedavgm}"), Example("strategy: {kind: fedprox}"),
                                    Example("strategy: {kind: fedadam}"), Example("strategy: {kind: fedyogi}"),
                                    Example("strategy: {kind: fedadagrad}")};
constexpr std::array kScaffold = {Example("strategy: {kind: scaffold}")};
constexpr std::array kFedNova = {Example("strategy: {kind: fednova}")};
constexpr std::array kFedBuff = {Example("strategy: {kind: fedbuff}")};
constexpr std::array kRobust = {Example("strategy: {kind: median}"), Example("strategy: {kind: trimmed-mean}"),
                                Example("{strategy: {kind: krum, byzantine: 0}, sites: {minimum: 3}}"),
                                Example("{strategy: {kind: multi-krum, byzantine: 0}, sites: {minimum: 3}}")};
constexpr std::array kClip = {Example("strategy: {clipNorm: 1}")};
constexpr std::array kAdam = {Example("training: {optimizer: adam}")};
constexpr std::array kStatistics = {Example("model: {kind: gbt}"),
                                    Example("{model: {kind: kmeans}, task: clustering}")};
constexpr std::array kTrainer = {Example("trainer: exec"), Example("trainer: any")};
constexpr std::array kDitto = {Example("personalization: {kind: ditto}")};
constexpr std::array kLayers = {Example("personalization: {kind: local-layers, layers: [layers.1]}")};
constexpr std::array kSurvey = {Example("prepare: {standardize: true}"), Example("prepare: {missing: mean}")};
constexpr std::array kFrom = {Example("from: digits")};
constexpr std::array kStop = {Example("stop: {patience: 3}"), Example("stop: {select: best}"),
                              Example("stop: {target: 0.1}")};
constexpr std::array kFraction = {Example("sites: {fraction: 0.5}")};
constexpr std::array kMasks = {Example("secureAggregation: {kind: pairwise}")};
constexpr std::array kAdaptive = {Example("privacy: {kind: central, clipping: adaptive}")};
constexpr std::array kCentral = {Example("privacy: {kind: central}")};
constexpr std::array kDistributed = {Example("{privacy: {kind: distributed}, secureAggregation: {kind: pairwise}}")};
constexpr std::array kFold = {Example("relays: fold")};
constexpr std::array kLocal = {Example("privacy: {kind: local}")};
constexpr std::array kQuantize = {Example("compression: {kind: quantize}"),
                                  Example("compression: {kind: quantize, bits: 4}")};
constexpr std::array kTopK = {Example("compression: {kind: top-k}")};

const std::array kFeatures = {
    Feature{"fedavg", Is<S::kFedAvg>, kFedAvg},
    Feature{"optimisers", Is<S::kFedAvgM, S::kFedProx, S::kFedAdam, S::kFedYogi, S::kFedAdagrad>, kOptimisers},
    Feature{"scaffold", Is<S::kScaffold>, kScaffold},
    Feature{"fednova", Is<S::kFedNova>, kFedNova},
    Feature{"fedbuff", Is<S::kFedBuff>, kFedBuff},
    Feature{"robust", Is<S::kMedian, S::kTrimmedMean, S::kKrum, S::kMultiKrum>, kRobust},
    Feature{"clipNorm", [](const Spec& s) { return s.strategy.clip_norm.has_value(); }, kClip},
    Feature{"adam", [](const Spec& s) { return s.training.optimizer == api::OptimizerKind::kAdam; }, kAdam},
    Feature{"statistics", Statistical, kStatistics},
    Feature{"trainer", [](const Spec& s) { return s.trainer != api::TrainerKind::kBuiltin; }, kTrainer},
    Feature{"ditto", [](const Spec& s) { return s.personalization.kind == P::kDitto; }, kDitto},
    Feature{"layers", [](const Spec& s) { return s.personalization.kind == P::kLocalLayers; }, kLayers},
    Feature{"prepare", [](const Spec& s) { return s.prepare.Asks(); }, kSurvey},
    Feature{"from", [](const Spec& s) { return !s.from.empty(); }, kFrom},
    Feature{"stop", Stops, kStop},
    Feature{"fraction", [](const Spec& s) { return s.sites.fraction < 1; }, kFraction},
    Feature{"masks", [](const Spec& s) { return s.masks.kind != api::MaskKind::kNone; }, kMasks},
    Feature{"adaptive", [](const Spec& s) { return s.privacy.clipping == api::ClipKind::kAdaptive; }, kAdaptive},
    Feature{"central", Noise<N::kCentral>, kCentral},
    Feature{"distributed", Noise<N::kDistributed>, kDistributed},
    Feature{"local", Noise<N::kLocal>, kLocal},
    Feature{"fold", [](const Spec& s) { return s.relays == api::RelayKind::kFold; }, kFold},
    Feature{"quantize", Compresses<C::kQuantize>, kQuantize},
    Feature{"top-k", Compresses<C::kTopK>, kTopK},
};

constexpr std::string_view kToFedAvg = "set strategy.kind: fedavg";
constexpr std::string_view kNoClip = "leave strategy.clipNorm out";
constexpr std::string_view kBuiltin = "set trainer: builtin";
constexpr std::string_view kNoPersonal = "leave personalization out";
constexpr std::string_view kNoMasks = "leave secureAggregation out";
constexpr std::string_view kNoPrivacy = "leave privacy out";
constexpr std::string_view kNoPrivacyNoMasks = "leave privacy out and leave secureAggregation out";
constexpr std::string_view kCarry = "set relays: carry";
constexpr std::string_view kFixed = "set privacy.clipping: fixed";

constexpr std::string_view kOfSteps =
    "{strategy} changes gradient steps or their mean, and {model} is made of statistics";
constexpr std::string_view kNoLayers = "{model} is made at the root, and has no layers or steps at a site";
constexpr std::string_view kNoLength =
    "{strategy} needs to know how far a step goes, and adam's steps have no such length";
constexpr std::string_view kUnseen =
    "{strategy} changes each step of the training, and a site's own trainer takes its steps unseen";
constexpr std::string_view kOtherNorm = "{strategy} sends updates whose norm means something else";
constexpr std::string_view kOwnModel = "a site's own model is trained by ote, and the trainer would not see it";
constexpr std::string_view kOnlySum =
    "{strategy} compares updates with each other, and under masks the root sees their sum alone";
constexpr std::string_view kNoUnit =
    "{model} sends statistics of many units, which no one norm bounds and no one noise hides";
constexpr std::string_view kControls =
    "{strategy} sends the change of its control variate too, which the noise of one update does not hide";
constexpr std::string_view kSteps =
    "{strategy} divides by the steps that a site took, and they tell how many rows it has, without noise";
constexpr std::string_view kNoSum = "the noise goes into a sum, and {strategy} makes none";
constexpr std::string_view kExact =
    "the statistics that it asks for are told as they are, and no noise hides what they tell";
constexpr std::string_view kMeasured = "it follows measures of the sites' rows, and so tells of them without noise";
constexpr std::string_view kTwoNorms = "every update is clipped to privacy.clipNorm already";

constexpr std::string_view kWhole = "leave compression out";
constexpr std::string_view kToQuantize = "set compression.kind: quantize";

constexpr std::string_view kInexact = "{model} is made of statistics as they are, and compression changes them";
constexpr std::string_view kOneGrid =
    "masks cancel in sums of whole numbers on one grid, and quantize has another one for each block";
constexpr std::string_view kAllValues =
    "masks cancel in values that all of the sites send, and top-k sends others at each of them";
constexpr std::string_view kGathered =
    "what top-k sends of a value has gathered over many rounds, and a norm that is meant for one of them cuts it off "
    "for good";

constexpr std::string_view kRootClips = "the root clips each update before it adds it up, and a relay does not";

// The first that applies is told: what is worse stands before what is easily mended.
constexpr std::array kConflicts = {
    // Models that make themselves of statistics have no gradient steps for anything to change.
    Conflict{"statistics", "optimisers", "strategy.kind", kOfSteps, kToFedAvg},
    Conflict{"statistics", "scaffold", "strategy.kind", kOfSteps, kToFedAvg},
    Conflict{"statistics", "fednova", "strategy.kind", kOfSteps, kToFedAvg},
    Conflict{"statistics", "fedbuff", "strategy.kind", kOfSteps, kToFedAvg},
    Conflict{"statistics", "robust", "strategy.kind", kOfSteps, kToFedAvg},
    Conflict{"statistics", "clipNorm", "strategy.clipNorm",
             "{model} sends statistics, and a statistic that is scaled down is a wrong one", kNoClip},
    Conflict{"statistics", "ditto", "personalization.kind", kNoLayers, kNoPersonal},
    Conflict{"statistics", "layers", "personalization.kind", kNoLayers, kNoPersonal},
    Conflict{"statistics", "trainer", "trainer", "{model} asks the sites for statistics that only ote makes", kBuiltin},
    Conflict{"statistics", "from", "from", "{model} begins with the first of its statistics", "leave from out"},
    Conflict{"statistics", "distributed", "privacy.kind", kNoUnit, kNoPrivacyNoMasks},
    Conflict{"statistics", "masks", "secureAggregation.kind",
             "{model} sends statistics of many units, and masks need one bound for all", kNoMasks},
    Conflict{"statistics", "adaptive", "privacy.kind", kNoUnit, kNoPrivacy},
    Conflict{"statistics", "central", "privacy.kind", kNoUnit, kNoPrivacy},
    Conflict{"statistics", "local", "privacy.kind", kNoUnit, kNoPrivacy},
    // Strategies.
    Conflict{"scaffold", "adam", "training.optimizer", kNoLength, "set training.optimizer: sgd"},
    Conflict{"fednova", "adam", "training.optimizer", kNoLength, "set training.optimizer: sgd"},
    Conflict{"scaffold", "trainer", "trainer", kUnseen, kToFedAvg},
    Conflict{"fednova", "trainer", "trainer", kUnseen, kToFedAvg},
    Conflict{"scaffold", "clipNorm", "strategy.clipNorm", kOtherNorm, kNoClip},
    Conflict{"fednova", "clipNorm", "strategy.clipNorm", kOtherNorm, kNoClip},
    Conflict{"robust", "clipNorm", "strategy.clipNorm", "{strategy} bounds what one site can do already", kNoClip},
    Conflict{"ditto", "trainer", "trainer", kOwnModel, kBuiltin},
    Conflict{"layers", "trainer", "trainer", kOwnModel, kBuiltin},
    Conflict{"layers", "scaffold", "personalization.kind",
             "with local-layers each site trains another model, and scaffold corrects all of them by one direction",
             "set personalization.kind: ditto and leave personalization.layers out"},
    Conflict{"prepare", "from", "prepare",
             "the model that the run starts from was made for rows prepared its way, and brings that along",
             "leave prepare out"},
    // Masks.
    Conflict{"robust", "masks", "strategy.kind", kOnlySum, kToFedAvg},
    Conflict{"robust", "distributed", "strategy.kind", kOnlySum, kToFedAvg},
    Conflict{"fedbuff", "masks", "strategy.kind",
             "masks cancel among the sites of one round, and fedbuff takes updates of many", kToFedAvg},
    Conflict{"fedbuff", "distributed", "strategy.kind",
             "masks cancel among the sites of one round, and fedbuff takes updates of many", kToFedAvg},
    Conflict{"clipNorm", "distributed", "strategy.clipNorm", kTwoNorms, kNoClip},
    Conflict{"clipNorm", "masks", "strategy.clipNorm", "the root cannot clip an update that it does not see", kNoClip},
    Conflict{"scaffold", "distributed", "strategy.kind", kControls, kToFedAvg},
    Conflict{"scaffold", "masks", "strategy.kind",
             "control variates know no bound, and masks need one: what is cut off would be lost at the root only",
             kToFedAvg},
    Conflict{"adaptive", "masks", "privacy.clipping",
             "the norm follows a count of the sites, and under masks there is no count",
             "set privacy.kind: distributed and set privacy.clipping: fixed"},
    Conflict{"central", "masks", "privacy.kind",
             "under masks the noise comes from the sites, or the root would see the sum without it",
             "set privacy.kind: distributed"},
    // Noise.
    Conflict{"adaptive", "distributed", "privacy.clipping",
             "the norm follows a count of the sites, and under masks there is no count", kFixed},
    Conflict{
        "adaptive", "local", "privacy.clipping",
        "the norm follows a count of the sites, and with noise from each of them the count costs more than it tells",
        kFixed},
    Conflict{"adaptive", "fedbuff", "privacy.clipping",
             "the norm is that of one round, and fedbuff takes updates of many", kFixed},
    Conflict{"scaffold", "adaptive", "strategy.kind", kControls, kToFedAvg},
    Conflict{"scaffold", "central", "strategy.kind", kControls, kToFedAvg},
    Conflict{"scaffold", "local", "strategy.kind", kControls, kToFedAvg},
    Conflict{"fednova", "adaptive", "strategy.kind", kSteps, kToFedAvg},
    Conflict{"fednova", "central", "strategy.kind", kSteps, kToFedAvg},
    Conflict{"fednova", "distributed", "strategy.kind", kSteps, kToFedAvg},
    Conflict{"fednova", "local", "strategy.kind", kSteps, kToFedAvg},
    Conflict{"robust", "adaptive", "strategy.kind", kNoSum, kToFedAvg},
    Conflict{"robust", "central", "strategy.kind", kNoSum, kToFedAvg},
    Conflict{"clipNorm", "adaptive", "strategy.clipNorm", kTwoNorms, kNoClip},
    Conflict{"clipNorm", "central", "strategy.clipNorm", kTwoNorms, kNoClip},
    Conflict{"clipNorm", "local", "strategy.clipNorm",
             "an update with all of its noise is as long as the noise, whatever it was", kNoClip},
    Conflict{"prepare", "adaptive", "prepare", kExact, "leave prepare out"},
    Conflict{"prepare", "central", "prepare", kExact, "leave prepare out"},
    Conflict{"prepare", "distributed", "prepare", kExact, "leave prepare out"},
    Conflict{"prepare", "local", "prepare", kExact, "leave prepare out"},
    Conflict{"stop", "adaptive", "stop", kMeasured, "leave stop out"},
    Conflict{"stop", "central", "stop", kMeasured, "leave stop out"},
    Conflict{"stop", "distributed", "stop", kMeasured, "leave stop out"},
    Conflict{"stop", "local", "stop", kMeasured, "leave stop out"},
    // Relays.
    Conflict{"fold", "robust", "relays",
             "{strategy} compares updates with each other, and a relay that folds passes on "
             "their sum alone",
             kCarry},
    Conflict{"fold", "fedbuff", "relays", "{strategy} weighs an update by when it comes, which a relay does not know",
             kCarry},
    Conflict{"fold", "clipNorm", "relays", kRootClips, kCarry},
    Conflict{"fold", "adaptive", "relays", kRootClips, kCarry},
    Conflict{"fold", "central", "relays", kRootClips, kCarry},
    // Compression.
    Conflict{"quantize", "statistics", "compression.kind", kInexact, kWhole},
    Conflict{"top-k", "statistics", "compression.kind", kInexact, kWhole},
    Conflict{"quantize", "distributed", "compression.kind", kOneGrid, kWhole},
    Conflict{"quantize", "masks", "compression.kind", kOneGrid, kWhole},
    Conflict{"top-k", "distributed", "compression.kind", kAllValues, kWhole},
    Conflict{"top-k", "masks", "compression.kind", kAllValues, kWhole},
    Conflict{"top-k", "robust", "compression.kind",
             "{strategy} compares the same values of all updates, and of each top-k sends others", kToQuantize},
    Conflict{"top-k", "clipNorm", "compression.kind", kGathered, kToQuantize},
    Conflict{"top-k", "adaptive", "compression.kind", kGathered, kToQuantize},
    Conflict{"top-k", "central", "compression.kind", kGathered, kToQuantize},
    Conflict{"top-k", "local", "compression.kind", "noise makes values large by chance, and top-k would send those",
             kToQuantize},
};

const Feature& FeatureOf(std::string_view name) {
  return *std::find_if(kFeatures.begin(), kFeatures.end(), [name](const Feature& f) { return f.name == name; });
}

// The reason with the kinds that the run file names.
std::string Spelled(std::string_view reason, const Spec& spec) {
  std::string text(reason);
  const auto put = [&text](std::string_view mark, std::string_view value) {
    for (auto at = text.find(mark); at != text.npos; at = text.find(mark)) text.replace(at, mark.size(), value);
  };
  put("{strategy}", NameOf(spec.strategy.kind));
  put("{model}", NameOf(spec.model.kind));
  return text;
}

}  // namespace

std::span<const Feature> AllFeatures() noexcept { return kFeatures; }
std::span<const Conflict> AllConflicts() noexcept { return kConflicts; }

Result<void> CheckPairs(const Spec& spec) {
  for (const Conflict& conflict : kConflicts) {
    if (!FeatureOf(conflict.a).chosen(spec) || !FeatureOf(conflict.b).chosen(spec)) continue;
    return Fail(ErrorId::kRunInvalid, std::string(conflict.field) + ": " + Spelled(conflict.reason, spec),
                std::string(conflict.hint));
  }
  return {};
}

}  // namespace ote::federate
