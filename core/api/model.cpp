#include "core/api/model.h"

#include "core/api/range.h"

namespace ote::api {
namespace {

constexpr std::size_t kMaxLayers = 16;
constexpr std::int64_t kMaxUnits = 65536;

Result<void> ValidateCnn(const ModelSpec& spec) {
  if (spec.norm == Normalization::kBatch) {
    return Fail(ErrorId::kRunInvalid,
                "model.norm: batch normalisation does not federate: each site would normalise by statistics of its own "
                "rows, which the mean of the sites does not have",
                "set model.norm: group, or none");
  }
  if (spec.image.size() != 3) {
    return Fail(ErrorId::kRunInvalid,
                fmt::format("model.image: channels, height and width, not {} numbers", spec.image.size()));
  }
  for (std::size_t i = 0; i < spec.image.size(); ++i) {
    OTE_CHECK(CheckRange<std::int64_t>(fmt::format("model.image[{}]", i), spec.image[i], 1, 4096));
  }
  if (spec.filters.empty() || spec.filters.size() > kMaxLayers) {
    return Fail(ErrorId::kRunInvalid,
                fmt::format("model.filters: from 1 to {} convolutions, not {}", kMaxLayers, spec.filters.size()));
  }
  OTE_CHECK(CheckRange<std::int64_t>("model.kernel", spec.kernel, 1, 15));
  if (spec.kernel % 2 == 0) {
    return Fail(ErrorId::kRunInvalid, fmt::format("model.kernel: an odd number, not {}", spec.kernel));
  }
  OTE_CHECK(CheckRange<std::int64_t>("model.pool", spec.pool, 1, 8));
  OTE_CHECK(CheckRange<std::int64_t>("model.groups", spec.groups, 1, 4096));
  std::int64_t height = spec.image[1];
  std::int64_t width = spec.image[2];
  for (std::size_t i = 0; i < spec.filters.size(); ++i) {
    OTE_CHECK(CheckRange<std::int64_t>(fmt::format("model.filters[{}]", i), spec.filters[i], 1, 4096));
    if (spec.norm == Normalization::kGroup && spec.filters[i] % spec.groups != 0) {
      return Fail(ErrorId::kRunInvalid, fmt::format("model.groups: {} does not divide the {} filters of convolution {}",
                                                    spec.groups, spec.filters[i], i + 1));
    }
    height /= spec.pool;
    width /= spec.pool;
    if (height < 1 || width < 1) {
      return Fail(ErrorId::kRunInvalid,
                  fmt::format("model.filters: after pooling {} times nothing is left of an image of {} by {}", i + 1,
                              spec.image[1], spec.image[2]));
    }
  }
  return CheckBelow("model.dropout", spec.dropout, 1.0);
}

Result<void> ValidateGbt(const ModelSpec& spec) {
  OTE_CHECK(CheckRange<std::int64_t>("model.trees", spec.trees, 1, 10'000));
  OTE_CHECK(CheckRange<std::int64_t>("model.depth", spec.depth, 1, 8));
  OTE_CHECK(CheckRange<std::int64_t>("model.bins", spec.bins, 2, 256));
  OTE_CHECK(CheckRange("model.shrinkage", spec.shrinkage, 1e-6, 1.0));
  OTE_CHECK(CheckRange("model.lambda", spec.lambda, 0.0, 1e6));
  OTE_CHECK(CheckRange("model.gamma", spec.gamma, 0.0, 1e6));
  return CheckRange("model.minChildWeight", spec.min_child_weight, 0.0, 1e9);
}

}  // namespace

Result<void> Validate(const ModelSpec& spec) {
  const bool layers_fit = spec.hidden.size() <= kMaxLayers && (spec.kind != ModelKind::kMlp || !spec.hidden.empty());
  if (!layers_fit) {
    return Fail(ErrorId::kRunInvalid,
                fmt::format("model.hidden: from 1 to {} layers, not {}", kMaxLayers, spec.hidden.size()));
  }
  for (std::size_t i = 0; i < spec.hidden.size(); ++i) {
    OTE_CHECK(CheckRange<std::int64_t>(fmt::format("model.hidden[{}]", i), spec.hidden[i], 1, kMaxUnits));
  }
  OTE_CHECK(CheckRange("model.inputScale", spec.input_scale, 1e-9, 1e9));
  if (spec.kind == ModelKind::kCnn) return ValidateCnn(spec);
  if (spec.kind == ModelKind::kGbt) return ValidateGbt(spec);
  if (spec.kind == ModelKind::kKmeans) return CheckRange<std::int64_t>("model.centroids", spec.centroids, 2, 10'000);
  return {};
}

}  // namespace ote::api
