// What it takes to take the masks out of the sum of a round, apart from the round itself: for another thread, since it
// is a stream of ChaCha20 for each site that stayed, and one for each pair of one that left and one that stayed.
//
// The same shares give the same sum: a root that was killed while it was at it does it again.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/federate/masks/masked_sum.h"
#include "core/federate/masks/session.h"
#include "crypto/keys.h"
#include "crypto/shamir.h"

namespace ote::federate {

// A neighbour that stayed, and so has a pair's mask in the sum.
struct MaskLaid {
  crypto::TransportPublic key;
  bool added = false;
};

// A site whose shares are here, as many as are needed.
struct MaskOwner {
  std::string name;
  std::size_t place = 0;
  struct Share {
    std::uint8_t holder = 0;
    Bytes share;
  };
  std::vector<Share> shares;
  Bytes seed_commitment;          // of one that stayed
  crypto::TransportPublic key{};  // of one that left
  std::vector<MaskLaid> laid;     // by its neighbours, because of it
  bool stayed = false;
};

class MaskRemoval {
 public:
  MaskRemoval(MaskSession session, std::vector<MaskOwner> owners)
      : session_(std::move(session)), owners_(std::move(owners)) {}

  // kMaskForged names a site whose shares make another secret than it promised; kInterrupted when it was asked to stop,
  // which it looks for every few milliseconds. The sum is of no use then. Once.
  Result<void> From(MaskedSum& sum, const std::stop_token& stop = {}) const;

 private:
  MaskSession session_;
  std::vector<MaskOwner> owners_;
};

}  // namespace ote::federate
