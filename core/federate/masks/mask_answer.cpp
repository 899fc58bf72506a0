#include "core/federate/masks/mask_answer.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "core/federate/masks/quantise.h"
#include "core/federate/masks/side.h"
#include "core/federate/privacy/noise.h"
#include "crypto/digest.h"
#include "crypto/random_stream.h"

namespace ote::federate {
namespace {

Result<SiteMasks> ReadKept(ByteView kept) {
  if (kept.empty()) return SiteMasks();
  return FromCbor<SiteMasks>(kept);
}

// Of the task's own seed: the same task is rounded alike.
crypto::Digest RoundingSeed(const api::Task& task) {
  return crypto::DigestOf(AsBytes(fmt::format("ote-mask-rounding-v1 {}", task.seed.value)));
}

// The part of a distributed noise. Those that tell the root theirs do not count, and of the others no more than must
// have agreed to the sum for it to be unmasked: then the sum has all of the noise, whoever leaves.
Result<void> AddPart(const api::Task& task, const SiteMasks& kept, std::span<std::uint32_t> words) {
  const auto sites = static_cast<std::int64_t>(kept.heads.size() / kMaskHead);
  OTE_TRY(const MaskPlan plan, PlanMasks(sites, task.masks->spec));
  NoiseShare share;
  share.noise = task.privacy.sum_noise;
  share.clip_norm = task.privacy.clip_norm;
  share.step = std::ldexp(1.0, -static_cast<int>(task.masks->exponent));
  share.sites = static_cast<std::int64_t>(plan.quorum) -
                static_cast<std::int64_t>(std::floor(task.masks->spec.colluding * static_cast<double>(sites)));
  std::vector<std::int64_t> values(words.size());
  for (std::size_t i = 0; i < words.size(); ++i) values[i] = static_cast<std::int32_t>(words[i]);
  crypto::RandomStream random = crypto::RandomStream::Fresh();
  OTE_CHECK(AddDistributedNoise(values, share, random));
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = static_cast<std::uint32_t>(values[i]);
  return {};
}

}  // namespace

Result<void> AnswerMasks(const api::Task& task, const MaskIdentity& identity, ByteView kept, SiteAnswer& answer) {
  OTE_TRY(SiteMasks masks, ReadKept(kept));
  OTE_TRY(answer.offer.masks, AnswerMaskStep(task, identity, masks));
  answer.memory.masks = ToCbor(masks);
  return {};
}

Result<void> MaskAnswer(const api::Task& task, std::int64_t examples, ByteView kept, SiteAnswer& answer) {
  OTE_TRY(SiteMasks masks, ReadKept(kept));
  const std::size_t count = answer.update.size() / sizeof(float);
  std::vector<float> values(count);
  if (count > 0) std::memcpy(values.data(), answer.update.data(), count * sizeof(float));
  std::vector<std::uint32_t> words(count + MaskSideWords());
  const std::span<std::uint32_t> all(words);
  if (task.masks->exponent < -64 || task.masks->exponent > 62 || !(task.masks->spec.bound > 0)) {
    return Fail(ErrorId::kMaskForged, "the grain of the sum is out of range");
  }
  // With noise each site counts once.
  const MaskGrain grain{static_cast<int>(task.masks->exponent), task.masks->spec.bound,
                        task.privacy.Private() ? 1 : examples};
  MaskSide side;
  OTE_TRY(side.cut, Quantise(values, grain, RoundingSeed(task).bytes, all.first(count)));
  if (task.privacy.kind == api::NoiseKind::kDistributed) OTE_CHECK(AddPart(task, masks, all.first(count)));
  side.train_loss = answer.offer.train_loss;
  side.metrics = answer.offer.metrics;
  side.personal = answer.offer.personal;
  if (task.privacy.HidesFromRoot()) side = {};  // no noise is in these
  PutMaskSide(side, all.subspan(count));
  OTE_CHECK(MaskWords(task, masks, words));
  answer.offer.train_loss = 0;
  answer.offer.metrics = {};
  answer.offer.personal = {};
  answer.update.resize(words.size() * sizeof(std::uint32_t));
  std::memcpy(answer.update.data(), words.data(), answer.update.size());
  answer.offer.digest = crypto::DigestOf(answer.update).ToString();
  answer.offer.size = static_cast<std::int64_t>(answer.update.size());
  answer.memory.masks = ToCbor(masks);
  return {};
}

}  // namespace ote::federate
