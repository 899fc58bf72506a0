// What sites answer to the steps of a masked round.
#include <fmt/format.h>

#include "core/federate/run_state.h"
#include "crypto/digest.h"

namespace ote::federate {

std::optional<Error> RunMachine::State::OnMaskAnswer(Asked& asked, const api::UpdateOffer& offer) {
  MaskedRound& masks = *kept.open->masks;
  auto& answers = *masks.Answers();
  const std::string digest = crypto::DigestOf(offer.masks).ToString();
  if (const auto it = answers.find(asked.name); it != answers.end()) {
    if (it->second == digest) return std::nullopt;
    return Error{
        ErrorId::kUpdateDuplicate,
        fmt::format("{} has answered {} of round {} already", asked.name, NameOf(masks.step), kept.open->round),
        {}};
  }
  if (!asked.Open()) {
    return Error{ErrorId::kUpdateDuplicate,
                 fmt::format("{} is out of round {}: {}", asked.name, kept.open->round, asked.error),
                 {}};
  }
  const auto taken = [&]() -> Result<void> {
    switch (masks.step) {
      case api::TaskKind::kMaskKeys:
        return RootMasks::CheckKeys(Try(), asked.name, offer.masks, limits.members);
      case api::TaskKind::kMaskShares:
        return mask_root->TakeDeal(asked.name, offer.masks);
      case api::TaskKind::kMaskConsent:
        return mask_root->TakeConsent(asked.name, offer.masks);
      default:
        return mask_root->TakeShares(asked.name, offer.masks);
    }
  }();
  if (!taken) {
    Failed(asked, Answer::kRefused, FailureOf(asked.name, NameOf(masks.step), taken.error()));
    return taken.error();
  }
  if (masks.step == api::TaskKind::kMaskKeys) mask_keys[asked.name] = offer.masks;
  durable.emplace_back(StoreArtifact{digest, offer.masks});
  answers[asked.name] = digest;
  Answered(asked, Answer::kFolded);
  Tell("step-answered", asked.name, std::string(NameOf(masks.step)));
  return std::nullopt;
}

}  // namespace ote::federate
