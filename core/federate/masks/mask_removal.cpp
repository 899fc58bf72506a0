#include "core/federate/masks/mask_removal.h"

#include <fmt/format.h>

#include <algorithm>

#include "crypto/agreement.h"
#include "crypto/mask_stream.h"

namespace ote::federate {
namespace {

// So many streams go through the sum together: the more, the less often it comes from memory, and the more keys are
// open at a time.
constexpr std::size_t kTogether = 64;
// Values between two looks at the stop token.
constexpr std::size_t kValues = 16 << 10;

using crypto::MaskSign;

// Gathers masks, and lays them when there are enough.
class Layers {
 public:
  Layers(MaskedSum& sum, const std::stop_token& stop) : sum_(sum), stop_(stop) {}

  Result<void> Take(ByteView key, MaskSign sign) {
    layer_.Take(key, sign);
    return layer_.size() < kTogether ? Result<void>{} : Lay();
  }
  Result<void> Lay() {
    for (std::span<std::uint32_t> rest = sum_.Mutable(); !rest.empty() && layer_.size() > 0;) {
      if (stop_.stop_requested()) return Fail(ErrorId::kInterrupted, "unmasking was stopped");
      const auto some = rest.first(std::min(rest.size(), kValues));
      layer_.Next(some);
      rest = rest.subspan(some.size());
    }
    layer_ = {};
    return {};
  }

 private:
  MaskedSum& sum_;
  const std::stop_token& stop_;
  crypto::MaskLayer layer_;
};

}  // namespace

Result<void> MaskRemoval::From(MaskedSum& sum, const std::stop_token& stop) const {
  Layers layers(sum, stop);
  const Bytes context = session_.PairContext(MaskUse::kMask);
  for (const MaskOwner& owner : owners_) {
    if (stop.stop_requested()) return Fail(ErrorId::kInterrupted, "unmasking was stopped");
    const auto promised = [&owner] {
      return Fail(ErrorId::kMaskForged,
                  fmt::format("{}: the shares that it dealt make another secret than it promised", owner.name));
    };
    std::vector<crypto::ShareOf> shares;
    for (const auto& share : owner.shares) shares.push_back({share.holder, share.share});
    OTE_TRY(const auto secret, crypto::JoinShares(shares));
    if (owner.stayed) {
      const crypto::Digest digest = session_.SeedDigest(owner.place, secret.View());
      if (!crypto::ConstantTimeEqual(digest.bytes, owner.seed_commitment)) return promised();
      OTE_CHECK(layers.Take(secret.View(), MaskSign::kSubtract));
      continue;
    }
    // It left: what its neighbours laid over their updates because of it is still there.
    OTE_TRY(const auto key, crypto::TransportKey::FromSecret(secret.View()));
    if (key.Public() != owner.key) return promised();
    for (const MaskLaid& laid : owner.laid) {
      OTE_TRY(const auto pair, crypto::AgreeKey(key, laid.key, context));
      OTE_CHECK(layers.Take(pair.View(), laid.added ? MaskSign::kSubtract : MaskSign::kAdd));
    }
  }
  return layers.Lay();
}

}  // namespace ote::federate
