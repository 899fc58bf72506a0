#include "core/site/perform.h"

#include <fmt/format.h>

#include <span>
#include <utility>

namespace ote::site {
namespace {

ByteView ViewOf(const std::optional<store::MappedArtifact>& artifact) {
  return artifact ? artifact->View() : ByteView();
}

Error Misfit(const api::Task& task, const std::string& why) {
  return {ErrorId::kModelDataMismatch, fmt::format("data set {}: {}", task.dataset, why),
          fmt::format("ote data show {}", task.dataset)};
}

// The rows of the task; statistics are told of rows as they stand in the file.
Result<const learn::Split*> RowsOf(const Work& work, DataCache& cache) {
  const auto& task = work.task;
  const auto& dataset = work.file.dataset;
  // A clustering passes the labels over, whatever they are.
  if (task.task != api::DataTask::kClustering && dataset.task != task.task) {
    return Fail(
        Misfit(task, fmt::format("registered for {}, the run is for {}", NameOf(dataset.task), NameOf(task.task))));
  }
  if (task.kind == api::TaskKind::kSurvey) {
    OTE_TRY(const auto* raw, cache.LoadRaw(work.file));
    OTE_CHECK(CheckEnough(dataset, raw->train.rows));
    return raw;
  }
  OTE_TRY(const auto* split, cache.Load(work.file, task.classes, task.preparation));
  if (split->train.columns != task.features) {
    return Fail(
        Misfit(task, fmt::format("it has {} features, the model wants {}", split->train.columns, task.features)));
  }
  return split;
}

}  // namespace

Result<void> CheckEnough(const api::Dataset& dataset, std::int64_t rows) {
  if (rows >= dataset.min_rows) return {};
  // How many there are is what the root knows already.
  return Fail(ErrorId::kStatisticsTooFew,
              fmt::format("data set {}: {} rows, and the site tells statistics of {} or more", dataset.name, rows,
                          dataset.min_rows),
              "the site's operator may register it with another --min-rows");
}

Result<void> CheckTask(const api::Task& task) {
  OTE_CHECK(api::Validate(task.model));
  OTE_CHECK(api::Validate(task.training));
  OTE_CHECK(api::Validate(task.privacy));
  const bool survey = task.kind == api::TaskKind::kSurvey;
  const bool masked = api::IsMaskStep(task.kind) || (task.masks && !survey);
  if (task.stage < 0 || masked != task.masks.has_value() || masked != (task.stage > 0)) {
    return Fail(ErrorId::kRunInvalid,
                fmt::format("run {}, round {}: no step of masks is like that", task.run, task.round));
  }
  if (task.masks) OTE_CHECK(api::Validate(task.masks->spec));
  if (task.compression) OTE_CHECK(api::Validate(*task.compression));
  if (task.compression && task.masks) {
    return Fail(ErrorId::kRunInvalid,
                fmt::format("run {}, round {}: masked updates cannot be compressed", task.run, task.round));
  }
  if (task.round < (survey ? 0 : 1) || task.features < 1 || (!survey && task.model_size < 1) ||
      task.local.control_size < 0) {
    return Fail(ErrorId::kRunInvalid, fmt::format("run {}, round {}: the task is out of range", task.run, task.round));
  }
  return {};
}

federate::SiteAnswer Failed(const api::Task& task, const Error& error, std::string_view phase) {
  return {federate::FailedOffer(task, error, phase), {}};
}

Error NoTrainer(const api::Task& task, const std::string& cluster) {
  return {ErrorId::kTrainerMissing,
          fmt::format("no trainer is registered here for the data set {}, and the run asks for one", task.dataset),
          fmt::format("at {}: ote trainer add NAME --command …; or trainer: any in the run file", cluster)};
}

Result<federate::SiteAnswer> Perform(const Work& work, DataCache& cache, Given& given, const std::stop_token& stop) {
  if (stop.stop_requested()) return Fail(ErrorId::kInterrupted, "superseded");
  const double wait = work.queued.Seconds();
  federate::SiteExtras extras;
  extras.identity = work.identity.get();
  if (api::IsMaskStep(work.task.kind)) {
    extras.memory = std::move(given.memory);
    OTE_TRY(auto answer, federate::PerformTask(work.task, {}, {}, {}, stop, extras));
    answer.offer.phases.wait = wait;
    return answer;
  }
  const Stopwatch preparing;
  const auto rows = RowsOf(work, cache);
  if (!rows) return Failed(work.task, rows.error(), "prepare");
  const double prepare = preparing.Seconds();
  extras.control = ViewOf(given.control);
  extras.memory = std::move(given.memory);
  extras.silent = given.silent;
  if (work.own) {
    extras.own = [&](const api::Task& asked, const federate::ModelFile& model, const learn::Table& train,
                     std::span<float> parameters, const std::stop_token& token) {
      return TrainByCommand(*work.own, work.file.dataset, asked, model, train, parameters, token);
    };
  }
  OTE_TRY(auto answer,
          federate::PerformTask(work.task, ViewOf(given.model), (*rows)->train, (*rows)->test, stop, extras));
  if (given.silent && answer.offer.failed && work.own) {
    answer.offer.error = "the site's own trainer failed; what it said stays at the site";
  }
  answer.offer.phases.wait = wait;
  answer.offer.phases.prepare = prepare;
  if (work.own) answer.offer.trainer = work.own->trainer.name;
  return answer;
}

}  // namespace ote::site
