// A site without a network, as the command line works on it: the state folder, held for as long as the object lives, so
// that no agent and no other command changes it meanwhile. No daemon, no root rights, and no clock that agrees with
// anybody's. One thread.
#pragma once

#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/bundle/open.h"
#include "core/bundle/pack.h"
#include "core/federate/site.h"
#include "core/site/by_hand/records.h"
#include "core/site/by_hand/taking.h"
#include "core/site/data_cache.h"
#include "core/store/artifacts.h"
#include "core/store/key_ring.h"
#include "core/store/state_folder.h"
#include "core/store/store.h"

namespace ote::site {

class HandSite {
 public:
  // Takes the folder, which must be there. kAgentRunning.
  static Result<HandSite> Open(const store::StateFolder& folder, const Clock& clock);
  // Whether the folder is one of a cluster that is, or asked to be, reached by files: it has no parent to connect to.
  static bool IsByHand(const store::StateFolder& folder);

  const std::optional<store::Membership>& Member() const noexcept { return member_; }
  store::Store& GetStore() noexcept { return *store_; }
  store::Artifacts& GetArtifacts() noexcept { return *artifacts_; }
  const store::StateFolder& Folder() const noexcept { return folder_; }
  // What this cluster is called, or asked to be; "" before it asked.
  Result<std::string> Name();

  struct Asked {
    std::string name;
    std::string fingerprint;  // of the cluster's own key, for people to compare
    std::size_t datasets = 0;
    bundle::Packed file;
  };
  // Makes the keys, if there are none, and a request of them, with the data sets that are registered by now. The same
  // bytes as last time when nothing changed. kConflict for another name than before.
  Result<Asked> MakeRequest(const std::string& name, const api::Labels& labels, const bundle::Place& place);

  // Makes the next keys, if there are none, and a request in which the present ones hand over to them; they take their
  // place with the grant. The same bytes as last time while nothing changed. kNotEnrolled.
  Result<Asked> MakeRotation(const bundle::Place& place);

  // What a task asks for, checked and not begun.
  struct Plan {
    bundle::Checked bundle;
    bundle::TaskBody body;
    crypto::VerifyKey authority;
    crypto::CertificateBody issuer;
    RegisteredFile file;    // the data set that it is about
    bool answered = false;  // it is the one that was answered last
  };
  struct Trust {
    std::optional<UnixMillis> dates;  // looked at when given
    bool restored = false;            // this folder may be older than what was sent from it
  };
  // kBundleReceiver, kBundleUntrusted, kBundleMixed, kBundleStale, kBundleReplaced, kFolderRestored, kRevoked,
  // kDatasetUnknown. Nothing is written.
  Result<Plan> ReadTask(bundle::Bundle& task, const Trust& trust);

  struct Trained {
    api::UpdateOffer offer;
    bundle::Packed file;
    bool already = false;  // it was trained before; the file is the same
  };
  // Does the task and writes the update, sealed to the issuer. A task that fails is an error, and can be done again,
  // unless the failure is to be told: then it is an update like another. kNoSpace before anything is begun,
  // kInterrupted.
  Result<Trained> Train(bundle::Bundle& task, const Plan& plan, const bundle::Place& place, bool tell_failure,
                        const std::stop_token& stop);

  // What the root says that it has. kFolderRestored, and what trust.h and marks.h say.
  Result<bundle::ReceiptBody> TakeReceipt(bundle::Bundle& receipt, const Trust& trust, bool dry_run);

  struct Granted {
    store::Membership member;
    bool already = false;
  };
  // Takes the root's answer to a request of this folder; one to a change of keys puts the next keys in their place.
  // `fingerprint` is the authority's; without one the membership must be there already, whose authority is pinned.
  // kFingerprintWrong, kBundleMixed, kAlreadyMember, and what trust.h and marks.h say.
  Result<Granted> TakeGrant(bundle::Bundle& grant, const std::optional<crypto::Fingerprint>& fingerprint,
                            std::optional<UnixMillis> dates, bool dry_run);

 private:
  HandSite(store::StateFolder folder, const Clock& clock, store::FolderLock lock)
      : folder_(std::move(folder)), clock_(&clock), lock_(std::move(lock)) {}

  Result<std::int64_t> NextSent();
  // Those of the member, or, before there is one, those on disk.
  Result<store::MemberKeys> Keys() const;
  // Keeps that the bundle with this digest was written, so that its grant is known.
  Result<void> KeepAsked(HandRequest record, const std::string& digest);
  // This folder must not know of less than what the root has from it.
  Result<void> CheckSeen(std::int64_t seen, bool restored);
  // Receiver, issuer and revocation, of a bundle for a member.
  Result<Judged> Judge(const bundle::Header& header, std::string_view kind, const Trust& trust);
  // Lists, certificate and authority that a bundle brings.
  Result<void> TakeNews(const bundle::Header& header, const crypto::VerifyKey& authority,
                        const std::optional<crypto::Certificate>& certificate);
  Result<void> TakeArtifacts(bundle::Bundle& task);
  Result<federate::SiteAnswer> Work(const Plan& plan, const std::stop_token& stop);
  Result<void> Keep(const Plan& plan, const federate::SiteAnswer& made, HandAnswer* answer);
  Result<bundle::Packed> PackAnswer(const HandAnswer& answer, const bundle::Place& place);
  Result<void> ForgetRun(const std::string& run);
  void DropUnneeded(const std::set<std::string>& digests);

  store::StateFolder folder_;
  const Clock* clock_;
  store::FolderLock lock_;
  std::optional<store::Membership> member_;
  std::optional<store::Store> store_;
  std::optional<store::Artifacts> artifacts_;
};

}  // namespace ote::site
