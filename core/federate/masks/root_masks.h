// The root's side of one try of a masked round: takes what the sites answer, makes their tasks' parts about masks, and
// takes the masks out of the sum. It sees no update by itself.
//
// Built of the answers alone, in any order within a step, so that a root that was restarted gives it the same answers
// and goes on. Names are those of the roster. One thread.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/api/mask_messages.h"
#include "core/base/result.h"
#include "core/federate/masks/mask_removal.h"
#include "core/federate/masks/masked_sum.h"
#include "core/federate/masks/session.h"

namespace ote::federate {

class RootMasks {
 public:
  // With the keys of those that take part, by name: CBOR of api::MaskKeys, each of which CheckKeys has passed.
  static Result<RootMasks> Make(const MaskTry& which, const std::map<std::string, Bytes>& keys, const KeyCheck& check);
  // Whether `site` may take part with these keys. kMaskForged, kProtocol.
  static Result<void> CheckKeys(const MaskTry& which, const std::string& site, ByteView keys, const KeyCheck& check);

  const MaskPlan& plan() const noexcept { return session_.plan(); }
  std::vector<std::string> Roster() const;

  // mask-shares.
  api::MaskTask ForShares(const std::string& site) const;
  Result<void> TakeDeal(const std::string& site, ByteView deal);
  // Those whose shares can be dealt out so that each has enough of its group in it: who trains.
  std::set<std::string> Dealt() const;
  // From now on these train; a subset of what Dealt() gave.
  void Train(const std::set<std::string>& sites);

  // train.
  api::MaskTask ForTraining(const std::string& site, std::int64_t exponent) const;
  // Whether a sum of these can be unmasked by them.
  bool Enough(const std::set<std::string>& survivors) const;
  // From now on the sum is of these.
  void Close(const std::set<std::string>& survivors);

  // mask-consent and mask-unmask.
  api::MaskTask ForConsent() const;
  Result<void> TakeConsent(const std::string& site, ByteView consent);
  bool Agreed() const noexcept { return consents_.size() >= plan().quorum; }
  api::MaskTask ForUnmask() const;  // once they have agreed
  // kMaskShareInvalid for a share that is not the one that was dealt: none of them is taken.
  Result<void> TakeShares(const std::string& site, ByteView shares);
  // Whether there are enough shares of every secret.
  bool CanUnmask() const;
  // Sites whose shares would help and are not here.
  std::vector<std::string> Lacking() const;
  // What takes the masks out, on its own: in another thread, as long as that takes. kMaskTooFew.
  Result<MaskRemoval> Removal() const;
  // Takes them out here and now.
  Result<void> Unmask(MaskedSum& sum) const;

 private:
  struct Member {
    std::string name;
    api::MaskKeys keys;
    crypto::TransportPublic mask;
    std::vector<std::size_t> group;  // places, its own among them, ascending
    std::optional<api::MaskDeal> deal;
    bool trains = false;
    bool survives = false;
    std::map<std::size_t, Bytes> shares;  // of its secret that is asked for, by who gave them
  };
  RootMasks(MaskSession session, api::MasksSpec spec, std::int64_t attempt)
      : session_(std::move(session)), spec_(spec), attempt_(attempt) {}
  std::optional<std::size_t> Place(const std::string& site) const;
  Result<std::size_t> MustPlace(const std::string& site) const;
  api::MaskTask Blank() const;
  Bytes Survivors() const;
  ByteView Commitment(std::size_t from, std::size_t to, bool key) const;

  MaskSession session_;
  api::MasksSpec spec_;
  std::int64_t attempt_ = 0;
  std::vector<Member> members_;  // sorted by name
  std::map<std::size_t, Bytes> consents_;
};

}  // namespace ote::federate
