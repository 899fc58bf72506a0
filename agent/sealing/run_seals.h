// Everything sealed about one run, at its root: packs its tasks, seals the models that they name, opens the offers that
// come back, and says how to open the updates. One thread.
//
// A model is sealed once with a fresh key for all who are to have it at the time, and the sealed copy goes, with the
// key, when the last task that names it does. So a restarted root seals anew, and sites that had fetched a part of the
// old copy are told of the new one with the task.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "agent/context.h"
#include "agent/members.h"
#include "core/api/fold.h"
#include "core/api/requests.h"
#include "core/api/sealing.h"
#include "core/parcel/parcel.h"
#include "core/store/sealed_artifacts.h"
#include "crypto/keys.h"

namespace ote::agent {

class RunSeals {
 public:
  // A sealed copy in the artifacts, and the key to it; both go with the object.
  struct Copy {
    Copy(store::Artifacts& in, api::SealedCopy made, crypto::SecretBytes with)
        : artifacts(in), copy(std::move(made)), key(std::move(with)) {}
    Copy(const Copy&) = delete;
    Copy& operator=(const Copy&) = delete;
    ~Copy() { artifacts.Remove(copy.digest); }

    store::Artifacts& artifacts;
    api::SealedCopy copy;
    crypto::SecretBytes key;
  };
  // What a task names; shared by the tasks that name the same.
  struct Copies {
    std::shared_ptr<const Copy> model;
    std::shared_ptr<const Copy> control;
  };

  RunSeals(Context& context, Members& members, std::string run)
      : context_(context), members_(members), run_(std::move(run)) {}

  // Loads the run's key, or makes it. To be called before anything else.
  Result<void> Open();
  // Lets go of the key in memory, and of what it opens.
  void Close() noexcept {
    key_.reset();
    updates_.clear();
  }

  // What the site's answers to `task` will call it.
  parcel::TaskName NameOf(const api::Task& task) const;
  // The task for `site`. `copies` comes to hold what it names, for as long as the site may fetch it. kRevoked, and what
  // the disk says.
  Result<parcel::Parcel> Pack(const api::Task& task, const std::string& site, Copies& copies);

  // An offer that came from `site`.
  Result<parcel::Opened<parcel::SealedOffer>> OpenOffer(const parcel::Parcel& parcel, const std::string& site) const;
  // Remembers where the update of an offer is; whether it was not known before.
  bool Note(const std::string& site, const parcel::SealedOffer& offer);
  void Forget(const std::string& site, const std::string& digest) { updates_.erase({site, digest}); }
  void ForgetAll(const std::string& site);
  // The sealed copy of an update that was offered. kUnreachable when it has to be offered again; kSealBroken when it
  // cannot be that update.
  Result<api::SealedCopy> UpdateOf(const std::string& site, const std::string& digest) const;
  // From the sealed copy, which is here, to the update. kArtifactMissing, kSealBroken, and what the disk says.
  Result<store::Opening> UpdateToOpen(const std::string& site, const std::string& digest) const;

  // What a relay needs to add up an update that was offered; its weight is to be filled in. kUnreachable and
  // kSealBroken as UpdateOf says, kUnsupported when the site did not say what it is sealed with.
  Result<api::FoldItem> ToFold(const std::string& site, const std::string& digest) const;
  Bytes AnswerKey() const;
  // From the sealed sum of a relay, which is here, to the sum. kSealBroken, and what the disk says.
  Result<store::Opening> SumToOpen(std::int64_t round, const std::string& relay, const api::FoldReply& reply) const;

  // Artifacts that must be kept.
  std::set<std::string> Needed() const;

 private:
  Result<std::shared_ptr<const Copy>> CopyOf(const std::string& digest);

  Context& context_;
  Members& members_;
  std::string run_;
  std::optional<crypto::TransportKey> key_;
  std::map<std::string, std::weak_ptr<const Copy>> copies_;                     // by the plain digest
  std::map<std::pair<std::string, std::string>, parcel::SealedOffer> updates_;  // by site and plain digest
};

}  // namespace ote::agent
