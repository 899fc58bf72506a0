// What a site does with one task: from the task, its own rows and what it keeps for the run to an answer. It does not
// matter how the task came; the agent's trainer takes it from the wire.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/api/task.h"
#include "core/base/stopwatch.h"
#include "core/federate/masks/site_masks.h"
#include "core/federate/site.h"
#include "core/site/data_cache.h"
#include "core/site/trainers/own_training.h"
#include "core/store/artifacts.h"

namespace ote::site {

// Whether a task that came from outside is in range: kRunInvalid.
Result<void> CheckTask(const api::Task& task);

// What a task is given beside its data.
struct Given {
  std::optional<store::MappedArtifact> model;
  std::optional<store::MappedArtifact> control;
  federate::SiteMemory memory;
  bool silent = false;  // Ledger::Admit
};

// What the thread that trains needs.
struct Work {
  api::Task task;
  RegisteredFile file;
  std::optional<OwnTrainer> own;
  std::shared_ptr<const federate::MaskIdentity> identity;  // for tasks of masked rounds
  Stopwatch queued;
};

// A failure before the task itself was begun; `phase` as in api::UpdateOffer.
federate::SiteAnswer Failed(const api::Task& task, const Error& error, std::string_view phase);
// kTrainerMissing, for a task that wants a trainer of the site's own.
Error NoTrainer(const api::Task& task, const std::string& cluster);
// kStatisticsTooFew when the data set's site does not tell of so few rows.
Result<void> CheckEnough(const api::Dataset& dataset, std::int64_t rows);

// Blocks until the task is done. Failures come back as an offer with `failed` set; only kInterrupted is an error. Uses
// up `given.memory`.
Result<federate::SiteAnswer> Perform(const Work& work, DataCache& cache, Given& given, const std::stop_token& stop);

}  // namespace ote::site
