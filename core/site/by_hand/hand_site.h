// A site without a network, as the command line works on it: the state folder, held for as long as the object lives, so
// that no agent and no other command changes it meanwhile. No daemon, no root rights, and no clock that agrees with
// anybody's. One thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/bundle/open.h"
#include "core/bundle/pack.h"
#include "core/site/by_hand/records.h"
#include "core/store/artifacts.h"
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

  struct Granted {
    store::Membership member;
    bool already = false;
  };
  // Takes the root's answer to a request of this folder. `fingerprint` is the authority's; without one the membership
  // must be there already, whose authority is pinned. kFingerprintWrong, kBundleMixed, kAlreadyMember, and what trust.h
  // and marks.h say.
  Result<Granted> TakeGrant(bundle::Bundle& grant, const std::optional<crypto::Fingerprint>& fingerprint,
                            std::optional<UnixMillis> dates, bool dry_run);

 private:
  HandSite(store::StateFolder folder, const Clock& clock, store::FolderLock lock)
      : folder_(std::move(folder)), clock_(&clock), lock_(std::move(lock)) {}

  store::StateFolder folder_;
  const Clock* clock_;
  store::FolderLock lock_;
  std::optional<store::Membership> member_;
  std::optional<store::Store> store_;
  std::optional<store::Artifacts> artifacts_;
};

}  // namespace ote::site
