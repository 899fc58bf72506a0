// The rows that tasks leave in the store of a site.
#pragma once

#include <string>

#include "core/api/run.h"
#include "core/api/sealing.h"
#include "core/base/codec.h"

namespace ote::site {

// "run-7k2m9q4x0d/3", and of a step of a masked round "run-7k2m9q4x0d/3/12"
std::string TaskKey(const std::string& run, std::int64_t round, std::int64_t stage = 0);

// A task that was taken and is not answered yet.
struct TaskRecord {
  static constexpr std::string_view kKind = "task";
  api::Task task;
  api::TaskSeals seals;
  std::string root;    // who gave it
  std::string digest;  // api::TaskDigest, as it arrived

  std::string Key() const { return TaskKey(task.run, task.round, task.stage); }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("task", self.task, kRequired);
    v("seals", self.seals);
    v("root", self.root);
    v("digest", self.digest);
  }
};

// An answer, from when it is made until the round is closed.
struct OfferRecord {
  static constexpr std::string_view kKind = "offer";
  api::UpdateOffer offer;
  std::string model_digest;  // of the task that it answers
  api::SealedCopy update;    // of offer.digest, which is not here in the clear
  Bytes task;                // that it answers: parcel::NameOfTask
  std::string root;          // who gave the task
  Bytes answer_key;
  api::FoldPolicy fold = api::FoldPolicy::kAllow;  // of the data set, when the answer was made

  std::string Key() const { return TaskKey(offer.run, offer.round, offer.stage); }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("offer", self.offer, kRequired);
    v("modelDigest", self.model_digest);
    v("update", self.update);
    v("task", self.task);
    v("root", self.root);
    v("answerKey", self.answer_key);
    v("fold", self.fold);
  }
};

}  // namespace ote::site
