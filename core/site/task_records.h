// The rows that tasks leave in the store of a site.
#pragma once

#include <string>

#include "core/api/run.h"
#include "core/base/codec.h"

namespace ote::site {

// "run-7k2m9q4x0d/3", and of a step of a masked round "run-7k2m9q4x0d/3/12"
std::string TaskKey(const std::string& run, std::int64_t round, std::int64_t stage = 0);

// A task that was taken and is not answered yet.
struct TaskRecord {
  static constexpr std::string_view kKind = "task";
  api::Task task;

  std::string Key() const { return TaskKey(task.run, task.round, task.stage); }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("task", self.task, kRequired);
  }
};

// An answer, from when it is made until the round is closed.
struct OfferRecord {
  static constexpr std::string_view kKind = "offer";
  api::UpdateOffer offer;
  std::string model_digest;  // of the task that it answers

  std::string Key() const { return TaskKey(offer.run, offer.round, offer.stage); }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("offer", self.offer, kRequired);
    v("modelDigest", self.model_digest);
  }
};

}  // namespace ote::site
