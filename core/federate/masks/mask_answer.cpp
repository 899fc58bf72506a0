#include "core/federate/masks/mask_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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

// The update's float32 values become numbers under masks where they stand: some are quantised, and while they are in
// the second cache the masks are laid over them.
constexpr std::size_t kSome = 128 << 10;
constexpr std::size_t kPiece = 8 << 10;

Result<void> Lay(Quantiser& quantiser, crypto::MaskLayer& layer, std::span<std::uint8_t> update) {
  std::array<std::uint32_t, kPiece / sizeof(std::uint32_t)> words;
  while (!update.empty()) {
    const auto some = update.first(std::min(update.size(), kSome));
    for (std::size_t at = 0; at < some.size(); at += kPiece) {
      const auto piece = some.subspan(at, std::min(kPiece, some.size() - at));
      const auto whole = std::span(words).first(piece.size() / sizeof(std::uint32_t));
      OTE_CHECK(quantiser.Next(piece, whole));
      std::memcpy(piece.data(), whole.data(), piece.size());
    }
    // The memory of a vector, from its beginning in steps of 4: words can stand there.
    layer.Next({reinterpret_cast<std::uint32_t*>(some.data()), some.size() / sizeof(std::uint32_t)});
    update = update.subspan(some.size());
  }
  return {};
}

// With the part of a distributed noise. Those that tell the root theirs do not count, and of the others no more than
// must have agreed to the sum for it to be unmasked: then the sum has all of the noise, whoever leaves.
Result<void> LayWithNoise(const api::Task& task, const SiteMasks& kept, Quantiser& quantiser, crypto::MaskLayer& layer,
                          std::span<std::uint8_t> update) {
  const auto sites = static_cast<std::int64_t>(kept.heads.size() / kMaskHead);
  OTE_TRY(const MaskPlan plan, PlanMasks(sites, task.masks->spec));
  NoiseShare share;
  share.noise = task.privacy.sum_noise;
  share.clip_norm = task.privacy.clip_norm;
  share.step = std::ldexp(1.0, -static_cast<int>(task.masks->exponent));
  share.sites = static_cast<std::int64_t>(plan.quorum) -
                static_cast<std::int64_t>(std::floor(task.masks->spec.colluding * static_cast<double>(sites)));
  std::vector<std::uint32_t> words(update.size() / sizeof(std::uint32_t));
  OTE_CHECK(quantiser.Next(update, words));
  std::vector<std::int64_t> values(words.size());
  for (std::size_t i = 0; i < words.size(); ++i) values[i] = static_cast<std::int32_t>(words[i]);
  crypto::RandomStream random = crypto::RandomStream::Fresh();
  OTE_CHECK(AddDistributedNoise(values, share, random));
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = static_cast<std::uint32_t>(values[i]);
  layer.Next(words);
  std::memcpy(update.data(), words.data(), update.size());
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
  if (!task.masks) return Fail(ErrorId::kMaskForged, "the task has no part about masks");
  OTE_TRY(SiteMasks masks, ReadKept(kept));
  if (task.masks->exponent < -64 || task.masks->exponent > 62 || !(task.masks->spec.bound > 0)) {
    return Fail(ErrorId::kMaskForged, "the grain of the sum is out of range");
  }
  // With noise each site counts once.
  const MaskGrain grain{static_cast<int>(task.masks->exponent), task.masks->spec.bound,
                        task.privacy.Private() ? 1 : examples};
  OTE_TRY(auto layer, OpenMasks(task, masks));
  Quantiser quantiser(grain, RoundingSeed(task).bytes);
  if (task.privacy.kind == api::NoiseKind::kDistributed) {
    OTE_CHECK(LayWithNoise(task, masks, quantiser, layer, answer.update));
  } else {
    OTE_CHECK(Lay(quantiser, layer, answer.update));
  }
  MaskSide side;
  side.cut = quantiser.cut();
  side.train_loss = answer.offer.train_loss;
  side.metrics = answer.offer.metrics;
  side.personal = answer.offer.personal;
  if (task.privacy.HidesFromRoot()) side = {};  // no noise is in these
  std::vector<std::uint32_t> words(MaskSideWords());
  PutMaskSide(side, words);
  layer.Next(words);
  answer.offer.train_loss = 0;
  answer.offer.metrics = {};
  answer.offer.personal = {};
  const std::size_t count = answer.update.size();
  answer.update.resize(count + words.size() * sizeof(std::uint32_t));
  std::memcpy(answer.update.data() + count, words.data(), words.size() * sizeof(std::uint32_t));
  answer.memory.masks = ToCbor(masks);
  return {};
}

}  // namespace ote::federate
