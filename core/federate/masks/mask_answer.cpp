#include "core/federate/masks/mask_answer.h"

#include <fmt/format.h>

#include <cstring>
#include <vector>

#include "core/federate/masks/quantise.h"
#include "core/federate/masks/side.h"
#include "crypto/digest.h"

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
  const MaskGrain grain{static_cast<int>(task.masks->exponent), task.masks->spec.bound, examples};
  MaskSide side;
  OTE_TRY(side.cut, Quantise(values, grain, RoundingSeed(task).bytes, all.first(count)));
  side.train_loss = answer.offer.train_loss;
  side.metrics = answer.offer.metrics;
  side.personal = answer.offer.personal;
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
