// Plays a record from its first entry to its seal, with no data: form, chain, signatures, statements of the sites, and
// that each entry follows from those before it.
//
// What is trusted is one key, by its fingerprint: the authority's. Those that it came after and that came after it are
// believed by the links of their succession, each of which both sides have signed. A root that holds its own key can
// write another record of a run; it cannot make the statements of its sites.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "core/record/entry.h"
#include "crypto/certificate.h"

namespace ote::record {

class Verifier {
 public:
  explicit Verifier(const crypto::Fingerprint& authority) : pinned_(authority) {}

  // The next entry, when it holds. kRecordBroken with "entry 3 (round 2): …" when it does not; nothing is to be taken
  // after that. The signatures are checked before anything that they are of is believed.
  Result<EntryBody> Take(ByteView frame);
  // The seal. kRecordBroken when the entries are not those that it speaks of.
  Result<void> Close(ByteView seal);

  // Of the entries that were taken.
  const std::string& Run() const noexcept { return run_; }
  std::int64_t Entries() const noexcept { return next_; }
  std::int64_t Rounds() const noexcept { return rounds_; }
  const std::string& Head() const noexcept { return head_; }  // digest of the last one
  const api::RunSpec& Spec() const noexcept { return spec_; }
  const std::optional<api::RecordEnd>& End() const noexcept { return end_; }

 private:
  Result<void> TakeAuthority(const EntryBody& body);
  Result<void> FollowAuthority(const std::vector<crypto::Succession>& links);
  Result<crypto::CertificateBody> CheckCertificate(const crypto::Certificate& certificate) const;
  Result<void> CheckPlace(const EntryBody& body) const;
  Result<void> Follow(const api::RecordEntry& entry);
  Result<void> FollowModel(const api::RecordModel& model);
  Result<void> FollowRound(const api::RecordRound& round);
  Result<void> FollowEnd(const api::RecordEnd& end);
  Result<void> CheckSite(const api::RecordedSite& site, std::string_view kind) const;

  crypto::Fingerprint pinned_;
  std::vector<crypto::VerifyKey> authorities_;                   // the present one last
  std::map<std::string, crypto::CertificateBody> certificates_;  // by their digests
  std::string run_;
  std::string head_;
  std::int64_t next_ = 0;
  std::int64_t rounds_ = 0;
  api::RunSpec spec_;
  std::string model_;
  std::string state_;
  std::set<std::string> models_;  // that it could end with
  std::optional<api::RecordEnd> end_;
};

}  // namespace ote::record
