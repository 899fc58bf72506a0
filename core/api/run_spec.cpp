#include "core/api/run_spec.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "core/api/range.h"
#include "core/base/ids.h"
#include "core/base/units.h"

namespace ote::api {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kMaxRounds = 1'000'000;
constexpr std::int64_t kMaxSites = 1'000'000;
constexpr milliseconds kShortestDeadline{100};
constexpr milliseconds kLongestDeadline = std::chrono::hours(24 * 365);

Result<void> CheckRunName(std::string_view field, std::string_view name) {
  if (const auto fits = CheckName(field, name); !fits) return Fail(ErrorId::kRunInvalid, fits.error().message);
  return {};
}

Result<void> CheckDeadline(std::string_view field, const std::string& text) {
  const auto deadline = ParseDuration(text);
  if (!deadline) return Fail(ErrorId::kRunInvalid, fmt::format("{}: {}", field, deadline.error().message));
  if (*deadline < kShortestDeadline || *deadline > kLongestDeadline) {
    return Fail(ErrorId::kRunInvalid, fmt::format("{}: from {} to {}, not {}", field, FormatDuration(kShortestDeadline),
                                                  FormatDuration(kLongestDeadline), text));
  }
  return {};
}

Result<void> ValidateSites(const SitesSpec& sites) {
  std::set<std::string_view> seen;
  for (const std::string& name : sites.clusters) {
    OTE_CHECK(CheckRunName("sites.clusters", name));
    if (!seen.insert(name).second) {
      return Fail(ErrorId::kRunInvalid, fmt::format("sites.clusters: {} stands there twice", name));
    }
  }
  if (const auto labels = CheckLabels(sites.selector.labels); !labels) {
    return Fail(ErrorId::kRunInvalid, fmt::format("sites.selector: {}", labels.error().message));
  }
  if (!(sites.fraction > 0 && sites.fraction <= 1)) {
    return Fail(ErrorId::kRunInvalid, fmt::format("sites.fraction: above 0 and at most 1, not {}", sites.fraction));
  }
  OTE_CHECK(CheckRange<std::int64_t>("sites.minimum", sites.minimum, 1, kMaxSites));
  if (!sites.clusters.empty() && std::cmp_greater(sites.minimum, sites.clusters.size())) {
    return Fail(ErrorId::kRunInvalid,
                fmt::format("sites.minimum: {} is more than the {} clusters that sites.clusters names", sites.minimum,
                            sites.clusters.size()));
  }
  OTE_CHECK(CheckDeadline("sites.deadline", sites.deadline));
  OTE_CHECK(CheckDeadline("sites.handDeadline", sites.hand_deadline));
  return {};
}

}  // namespace

Result<void> Validate(const RunSpec& spec) {
  if (!spec.name.empty()) OTE_CHECK(CheckRunName("name", spec.name));
  OTE_CHECK(CheckRunName("dataset", spec.dataset));
  OTE_CHECK(Validate(spec.model));
  OTE_CHECK(Validate(spec.training));
  const bool regression = spec.task == DataTask::kRegression;
  if (spec.model.kind == ModelKind::kLinear && !regression) {
    return Fail(ErrorId::kRunInvalid, "model.kind: linear is for regression, and task is classification",
                "set task: regression, or model.kind: softmax or mlp");
  }
  if (spec.model.kind == ModelKind::kSoftmax && regression) {
    return Fail(ErrorId::kRunInvalid, "model.kind: softmax is for classification, and task is regression",
                "set task: classification, or model.kind: linear or mlp");
  }
  OTE_CHECK(ValidateSites(spec.sites));
  OTE_CHECK(Validate(spec.strategy));
  OTE_CHECK(Validate(spec.personalization));
  OTE_CHECK(Validate(spec.stop));
  OTE_CHECK(Validate(spec.checkpoints));
  OTE_CHECK(Validate(spec.masks));
  OTE_CHECK(Validate(spec.privacy));
  OTE_CHECK(Validate(spec.compression));
  if (!spec.model_name.empty()) OTE_CHECK(CheckRunName("modelName", spec.model_name));
  OTE_CHECK(CheckRange<std::int64_t>("rounds", spec.rounds, 1, kMaxRounds));
  if (spec.seed < 0) return Fail(ErrorId::kRunInvalid, fmt::format("seed: 0 or more, not {}", spec.seed));
  return {};
}

}  // namespace ote::api

template <>
ote::Json ote::codec::Encode(const ote::api::SiteSelector& selector) {
  return selector.text ? Json(*selector.text) : Encode(selector.labels);
}

template <>
ote::Result<void> ote::codec::Decode(const ote::Json& json, ote::api::SiteSelector& out, const std::string& at,
                                     const Reader& reader) {
  out = {};
  if (json.is_string()) {
    out.text = json.get<std::string>();
    return {};
  }
  if (!json.is_object()) return Fail(reader.BadValue(at, "a map of labels, or a selector", json));
  return Decode(json, out.labels, at, reader);
}
