#include "core/federate/site.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "core/base/stopwatch.h"
#include "core/federate/accumulator.h"
#include "core/federate/model_file.h"
#include "crypto/digest.h"

namespace ote::federate {
namespace {

api::UpdateOffer BlankOffer(const api::Task& task) {
  api::UpdateOffer offer;
  offer.run = task.run;
  offer.round = task.round;
  offer.kind = task.kind;
  return offer;
}

// The model of the task: the file is the one that the task names, and holds what the task says.
Result<ModelFile> OpenModel(const api::Task& task, ByteView file) {
  if (const std::string digest = crypto::DigestOf(file).ToString(); digest != task.model_digest) {
    return Fail(ErrorId::kArtifactCorrupt,
                fmt::format("the model has the digest {}, and {} was asked for", digest, task.model_digest));
  }
  OTE_TRY(ModelFile model, ReadModelFile(file));
  if (model.spec != task.model || model.task != task.task || model.features != task.features ||
      model.classes != task.classes) {
    return Fail(ErrorId::kModelInvalid, "the model file is not of the model that the task describes");
  }
  return model;
}

Result<void> CheckRows(const api::Task& task, const learn::Table& rows, std::string_view what) {
  if (rows.rows > 0 && rows.columns != task.features) {
    return Fail(ErrorId::kModelDataMismatch,
                fmt::format("the {} rows have {} features, and the model takes {}", what, rows.columns, task.features));
  }
  if (rows.rows > 0 && rows.class_names != task.classes) {
    return Fail(ErrorId::kModelDataMismatch, fmt::format("the {} rows do not use the classes of the run", what));
  }
  return {};
}

// trained - given, as bytes. Checked as the root will check it: what it would refuse need not travel.
Result<Bytes> Difference(const std::vector<float>& trained, const std::vector<float>& given) {
  static_assert(std::endian::native == std::endian::little);
  Bytes out(trained.size() * sizeof(float));
  for (std::size_t i = 0; i < trained.size(); ++i) {
    const float change = trained[i] - given[i];
    if (!std::isfinite(change)) return Fail(ErrorId::kUpdateNotFinite, "training made NaN or infinity");
    if (std::abs(static_cast<double>(change)) > kBound) {
      return Fail(ErrorId::kUpdateOutOfRange,
                  fmt::format("training changed a weight by {}, and the bound is {}", change, kBound));
    }
    std::memcpy(out.data() + i * sizeof(float), &change, sizeof change);
  }
  return out;
}

// `phase` is what it is at, and `phases` how long it took.
Result<SiteAnswer> Perform(const api::Task& task, ByteView model_file, const learn::Table& train,
                           const learn::Table& test, std::stop_token stop, const OwnTraining& own,
                           std::string_view& phase, api::Phases& phases) {
  phase = "fetch";
  OTE_TRY(const ModelFile file, OpenModel(task, model_file));
  phase = "prepare";
  OTE_CHECK(CheckRows(task, train, "training"));
  OTE_CHECK(CheckRows(task, test, "test"));
  OTE_TRY(const auto model, file.Make());
  SiteAnswer answer;
  answer.offer = BlankOffer(task);
  phase = "measure";
  if (test.rows > 0) {
    const Stopwatch measuring;
    OTE_TRY(answer.offer.metrics, model->Evaluate(file.values, test));
    phases.measure = measuring.Seconds();
  }
  if (task.kind == api::TaskKind::kEvaluate) return answer;

  phase = "train";
  if (train.rows < 1) return Fail(ErrorId::kDataTooSmall, "there are no rows to train on");
  std::vector<float> trained = file.values;
  const Stopwatch training;
  const auto done = own ? own(task, file, train, trained, std::move(stop))
                        : model->Train(trained, train, task.training, {}, task.seed.value, std::move(stop));
  phases.train = training.Seconds();
  if (!done) return Fail(done.error());
  answer.offer.train_loss = done->loss;
  answer.offer.steps = done->steps;
  OTE_TRY(answer.update, Difference(trained, file.values));
  answer.offer.digest = crypto::DigestOf(answer.update).ToString();
  answer.offer.size = static_cast<std::int64_t>(answer.update.size());
  answer.offer.examples = train.rows;
  return answer;
}

}  // namespace

Result<SiteAnswer> PerformTask(const api::Task& task, ByteView model_file, const learn::Table& train,
                               const learn::Table& test, std::stop_token stop, const OwnTraining& own) {
  std::string_view phase;
  api::Phases phases;
  auto answer = Perform(task, model_file, train, test, std::move(stop), own, phase, phases);
  if (!answer && answer.error().id == ErrorId::kInterrupted) return answer;
  if (!answer) answer = SiteAnswer{FailedOffer(task, answer.error(), phase), {}};
  answer->offer.phases = phases;
  return answer;
}

api::UpdateOffer FailedOffer(const api::Task& task, const Error& error, std::string_view phase) {
  api::UpdateOffer offer = BlankOffer(task);
  offer.failed = true;
  offer.error_code = static_cast<std::int64_t>(error.id);
  offer.error = error.message;
  offer.phase = phase;
  offer.hint = error.hint;
  return offer;
}

}  // namespace ote::federate
