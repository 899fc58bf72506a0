// What a site does with seals: opens tasks, says how to open the models that they name, seals its updates, packs its
// answers.
#pragma once

#include <functional>
#include <string>

#include "agent/context.h"
#include "core/federate/site.h"
#include "core/parcel/parcel.h"
#include "core/site/task_records.h"
#include "core/store/sealed_artifacts.h"

namespace ote::agent {

// An answer whose update, if it has one, is sealed in an artifact; in memory it is no more.
struct SealedAnswer {
  federate::SiteAnswer answer;
  api::SealedCopy update;
};
// From an answer to a sealed one. For the worker's thread; an update that cannot be written is a failed answer.
using SealAnswer = std::function<SealedAnswer(federate::SiteAnswer)>;

class SiteSeals {
 public:
  explicit SiteSeals(Context& context) : context_(context) {}

  // Checks who gave a task before anything of it is used.
  Result<site::TaskRecord> OpenTask(const parcel::Parcel& parcel) const;
  // From the sealed copy of a model, which is here, to the plain one. kSealBroken, and what the disk says.
  Result<store::Opening> ModelToOpen(const std::string& run, const api::LockedCopy& locked, const std::string& digest,
                                     std::int64_t size) const;
  SealAnswer Sealer(const site::TaskRecord& of) const;
  Result<parcel::Parcel> PackOffer(const site::OfferRecord& record) const;

 private:
  Context& context_;
};

// The record of an answer to a task; what of it is sealed comes later.
site::OfferRecord AnswerTo(const site::TaskRecord& of, const api::UpdateOffer& offer);
// Whether a record says what it takes to answer: one that an older ote left does not.
bool Answerable(const site::TaskRecord& record) noexcept;
bool Answerable(const site::OfferRecord& record) noexcept;

}  // namespace ote::agent
