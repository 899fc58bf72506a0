#include "core/federate/site.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "core/base/stopwatch.h"
#include "core/federate/accumulator.h"
#include "core/federate/compress/update_writer.h"
#include "core/federate/masks/mask_answer.h"
#include "core/federate/masks/side.h"
#include "core/federate/model_file.h"
#include "core/federate/plan.h"
#include "core/federate/privacy/noise.h"
#include "core/learn/random.h"
#include "core/learn/statistics.h"
#include "crypto/digest.h"
#include "crypto/random_stream.h"

namespace ote::federate {
namespace {

api::UpdateOffer BlankOffer(const api::Task& task) {
  api::UpdateOffer offer;
  offer.run = task.run;
  offer.round = task.round;
  offer.stage = task.stage;
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
      model.classes != task.classes || model.preparation != task.preparation) {
    return Fail(ErrorId::kModelInvalid, "the model file is not of the model that the task describes");
  }
  return model;
}

Result<void> CheckRows(const api::Task& task, const learn::Table& rows, std::string_view what) {
  if (rows.rows > 0 && rows.columns != task.features) {
    return Fail(ErrorId::kModelDataMismatch,
                fmt::format("the {} rows have {} features, and the model takes {}", what, rows.columns, task.features));
  }
  if (task.task != api::DataTask::kClustering && rows.rows > 0 && rows.class_names != task.classes) {
    return Fail(ErrorId::kModelDataMismatch, fmt::format("the {} rows do not use the classes of the run", what));
  }
  return {};
}

// Checked as the root will check it: what it would refuse need not travel.
Result<void> CheckValue(float value) {
  if (!std::isfinite(value)) return Fail(ErrorId::kUpdateNotFinite, "training made NaN or infinity");
  if (std::abs(static_cast<double>(value)) <= kBound) return {};
  return Fail(ErrorId::kUpdateOutOfRange,
              fmt::format("a value of the update is {}, and the bound is {}", value, kBound));
}

class Performance {
 public:
  Performance(const api::Task& task, const learn::Table& train, const learn::Table& test, std::stop_token stop,
              const SiteExtras& extras)
      : task_(task), train_(train), test_(test), stop_(std::move(stop)), extras_(extras) {
    answer_.offer = BlankOffer(task);
  }

  Result<SiteAnswer> Go(ByteView model_file) {
    if (task_.kind == api::TaskKind::kSurvey) {
      phase_ = "survey";
      OTE_TRY(answer_.offer.statistics, learn::Survey(train_, task_.survey));
      return std::move(answer_);
    }
    if (api::IsMaskStep(task_.kind)) {
      phase_ = NameOf(task_.kind);
      if (extras_.identity == nullptr) return Fail(ErrorId::kUnsupported, "this site has no part in masked rounds");
      OTE_CHECK(AnswerMasks(task_, *extras_.identity, extras_.memory.masks, answer_));
      return std::move(answer_);
    }
    if (!task_.masks && !extras_.memory.masks.empty()) {
      return Fail(ErrorId::kMaskRefused, "the updates of the run are masked here, and the task has no masks");
    }
    phase_ = "fetch";
    OTE_TRY(file_, OpenModel(task_, model_file));
    phase_ = "prepare";
    OTE_CHECK(CheckRows(task_, train_, "training"));
    OTE_CHECK(CheckRows(task_, test_, "test"));
    OTE_TRY(model_, file_.Make());
    OTE_CHECK(OpenMemory());
    phase_ = "measure";
    const Stopwatch measuring;
    if (!Silent() && test_.rows > 0 && model_->Complete(file_.values)) {
      OTE_TRY(answer_.offer.metrics, model_->Evaluate(file_.values, test_));
      if (own_) {
        OTE_TRY(answer_.offer.personal, model_->Evaluate(own_->values, test_));
      }
    }
    answer_.offer.phases.measure = measuring.Seconds();
    if (task_.kind == api::TaskKind::kEvaluate) {
      if (task_.masks) {
        OTE_CHECK(Mask());
        Announce();
      }
      return std::move(answer_);
    }
    phase_ = "train";
    if (train_.rows < 1) return Fail(ErrorId::kDataTooSmall, "there are no rows to train on");
    const Stopwatch training;
    const auto trained = model_->Statistical() ? Contribute() : Train();
    answer_.offer.phases.train = training.Seconds();
    if (!trained) return Fail(trained.error());
    answer_.offer.examples = train_.rows;
    if (task_.masks) OTE_CHECK(Mask());
    Announce();
    return std::move(answer_);
  }
  std::string_view phase() const noexcept { return phase_; }
  const api::Phases& phases() const noexcept { return answer_.offer.phases; }

 private:
  Result<void> Mask() {
    phase_ = "mask";
    return MaskAnswer(task_, train_.rows, extras_.memory.masks, answer_);
  }

  void Announce() {
    answer_.offer.digest = crypto::DigestOf(answer_.update).ToString();
    answer_.offer.size = static_cast<std::int64_t>(answer_.update.size());
  }

  bool Silent() const noexcept { return extras_.silent || task_.privacy.HidesFromRoot(); }
  bool Local(api::PersonalKind kind) const noexcept { return task_.local.personal.kind == kind; }

  // The site's own model of the run, if it has one that still fits: a run whose classes were widened begins anew.
  Result<void> OpenMemory() {
    if (extras_.memory.personal.empty() || Local(api::PersonalKind::kNone)) return {};
    auto own = ReadModelFile(extras_.memory.personal);
    if (!own || own->layout != file_.layout) return {};
    own_ = std::move(*own);
    if (Local(api::PersonalKind::kLocalLayers)) CopyRanges(file_.values, own_->values, false);
    return {};
  }

  // The ranges of the tensors that stay here, or of the others.
  std::vector<std::pair<std::int64_t, std::int64_t>> Ranges(bool local) const {
    std::vector<std::pair<std::int64_t, std::int64_t>> out;
    std::int64_t at = 0;
    for (const learn::TensorInfo& tensor : file_.layout) {
      if (IsLocal(task_.local.personal, tensor) == local) out.emplace_back(at, at + tensor.Count());
      at += tensor.Count();
    }
    return out;
  }
  void CopyRanges(const std::vector<float>& from, std::vector<float>& to, bool local) const {
    for (const auto& [begin, end] : Ranges(local))
      std::copy(from.begin() + begin, from.begin() + end, to.begin() + begin);
  }

  Result<void> Contribute() {
    std::vector<float> values(static_cast<std::size_t>(model_->ContributionCount(file_.values)));
    OTE_CHECK(model_->Contribute(file_.values, train_, values, task_.seed.value, stop_));
    for (const float value : values) OTE_CHECK(CheckValue(value));
    Append(values);
    return {};
  }

  Result<void> Train() {
    const bool keeps_layers = Local(api::PersonalKind::kLocalLayers);
    std::vector<float> trained = keeps_layers && own_ ? own_->values : file_.values;
    const std::vector<float> given = trained;
    learn::TrainTerms terms;
    terms.proximal = task_.local.proximal;
    terms.class_weights = task_.preparation.class_weights;
    std::vector<float> correction;
    OTE_CHECK(Correct(correction));
    terms.correction = correction;
    OTE_TRY(const learn::Trained done,
            extras_.own ? extras_.own(task_, file_, train_, trained, stop_)
                        : model_->Train(trained, train_, task_.training, terms, task_.seed.value, stop_));
    if (!Silent()) answer_.offer.train_loss = done.loss;
    answer_.offer.steps = done.steps;
    BeginUpdate(trained.size());
    OTE_CHECK(MakeUpdate(trained, given, done.steps));
    if (task_.local.control) OTE_CHECK(MakeControl(trained, given, correction, done.steps));
    if (writer_) answer_.update = std::move(*writer_).Take();
    if (keeps_layers) return Keep(trained);
    return Local(api::PersonalKind::kDitto) ? TrainOwn() : Result<void>{};
  }

  // SCAFFOLD's c - c_i.
  Result<void> Correct(std::vector<float>& correction) {
    if (!task_.local.control) return {};
    const std::size_t bytes = file_.values.size() * sizeof(float);
    correction.assign(file_.values.size(), 0.0f);
    const auto add = [&](ByteView from, float sign, std::string_view what) -> Result<void> {
      if (from.empty()) return {};
      if (from.size() != bytes) {
        return Fail(ErrorId::kModelInvalid,
                    fmt::format("{} has {} bytes, and the model needs {}", what, from.size(), bytes));
      }
      for (std::size_t i = 0; i < correction.size(); ++i) {
        float value = 0;
        std::memcpy(&value, from.data() + i * sizeof value, sizeof value);
        correction[i] += sign * value;
      }
      return {};
    };
    if (!task_.local.control_digest.empty()) {
      if (crypto::DigestOf(extras_.control).ToString() != task_.local.control_digest) {
        return Fail(ErrorId::kArtifactCorrupt, "the control variate is not the one that the task names");
      }
      OTE_CHECK(add(extras_.control, 1, "the control variate"));
    }
    return add(extras_.memory.control, -1, "the site's own control variate");
  }

  Result<void> MakeUpdate(const std::vector<float>& trained, const std::vector<float>& given, double steps) {
    std::vector<float> update(trained.size());
    const auto divisor = static_cast<float>(task_.local.normalize ? steps : 1);
    for (std::size_t i = 0; i < update.size(); ++i) {
      update[i] = (trained[i] - given[i]) / divisor;
      OTE_CHECK(CheckValue(update[i]));
    }
    LeaveOutLocal(update);
    OTE_CHECK(Protect(update));
    LeaveOutLocal(update);  // noise in what stays here would tell nothing and cost the others their first steps
    if (writer_ && task_.compression->kind == api::CompressionKind::kTopK) {
      answer_.memory.residual = extras_.memory.residual;
      AddWithFeedback(*writer_, update, answer_.memory.residual);
    } else {
      Append(update);
    }
    return {};
  }

  void BeginUpdate(std::size_t count) {
    if (!task_.compression || task_.compression->kind == api::CompressionKind::kNone) return;
    const std::size_t vectors = task_.local.control ? 2 : 1;
    constexpr std::uint64_t kRounding = 0xc0de;
    writer_.emplace(UpdateForm{*task_.compression, vectors * count, vectors},
                    learn::DeriveSeed(task_.seed.value, kRounding));
  }
  void LeaveOutLocal(std::vector<float>& update) const {
    if (!Local(api::PersonalKind::kLocalLayers)) return;
    for (const auto& [begin, end] : Ranges(true)) std::fill(update.begin() + begin, update.begin() + end, 0.0f);
  }

  // Clips, and adds the noise that is this site's alone to add. A part of a noise is added under the masks.
  Result<void> Protect(std::vector<float>& update) {
    const api::TaskPrivacy& privacy = task_.privacy;
    if (!privacy.Private()) return {};
    if (privacy.kind == api::NoiseKind::kDistributed && !task_.masks) {
      return Fail(ErrorId::kNoiseNeeded,
                  "the task wants a part of a noise, and no masks that it would be hidden under");
    }
    bool within = false;
    if (privacy.kind == api::NoiseKind::kLocal) {
      crypto::RandomStream random = crypto::RandomStream::Fresh();
      within = MakePrivate(update, privacy.noise, privacy.clip_norm, kBound, random);
    } else {
      const NoiseGrid grid = ChooseNoiseGrid(privacy.sum_noise, privacy.clip_norm, privacy.unit);
      within = ClipToNorm(update, ClipTarget(grid, privacy.clip_norm, privacy.unit, update.size()));
    }
    if (privacy.counts) answer_.offer.within = within;
    return {};
  }

  // Option II of the paper: c_i+ = c_i - c + (given - trained) / (steps * rate). The change of c_i is the second
  // vector.
  Result<void> MakeControl(const std::vector<float>& trained, const std::vector<float>& given,
                           const std::vector<float>& correction, double steps) {
    const double length = steps * task_.training.learning_rate;
    std::vector<float> change(trained.size());
    std::vector<float> next(trained.size(), 0.0f);
    if (!extras_.memory.control.empty()) {
      std::memcpy(next.data(), extras_.memory.control.data(), extras_.memory.control.size());
    }
    for (std::size_t i = 0; i < change.size(); ++i) {
      const double mean_gradient = (static_cast<double>(given[i]) - static_cast<double>(trained[i])) / length;
      const double common = static_cast<double>(correction[i]) + static_cast<double>(next[i]);
      change[i] = static_cast<float>(mean_gradient - common);
      OTE_CHECK(CheckValue(change[i]));
    }
    Append(change);
    // What the root adds up is what the site adds to its own. What compression left out is in the next change.
    for (std::size_t i = 0; i < change.size(); ++i) next[i] += change[i];
    answer_.memory.control.resize(next.size() * sizeof(float));
    std::memcpy(answer_.memory.control.data(), next.data(), answer_.memory.control.size());
    return {};
  }

  // Ditto (Li, Hu, Beirami and Smith 2021, algorithm 1): the site's own model takes its own steps, held near the common
  // one that the round began with.
  Result<void> TrainOwn() {
    std::vector<float> own = own_ ? own_->values : file_.values;
    api::TrainSpec training = task_.training;
    training.epochs = task_.local.personal.epochs;
    learn::TrainTerms terms;
    terms.proximal = task_.local.personal.lambda;
    terms.anchor = file_.values;
    terms.class_weights = task_.preparation.class_weights;
    constexpr std::uint64_t kOwnStream = 0xd1770;
    OTE_CHECK(model_->Train(own, train_, training, terms, learn::DeriveSeed(task_.seed.value, kOwnStream), stop_));
    return Keep(own);
  }

  Result<void> Keep(const std::vector<float>& own) {
    answer_.memory.personal = MakeModelFile(file_, own);
    return {};
  }

  // Compressed values become what the root will read of them.
  void Append(std::vector<float>& values) {
    if (writer_) return writer_->Add(values);
    static_assert(std::endian::native == std::endian::little);
    const std::size_t at = answer_.update.size();
    const std::size_t side = task_.masks ? MaskSideWords() * sizeof(float) : 0;  // so that it need not move for them
    answer_.update.reserve(at + values.size() * sizeof(float) + side);
    answer_.update.resize(at + values.size() * sizeof(float));
    std::memcpy(answer_.update.data() + at, values.data(), values.size() * sizeof(float));
  }

  const api::Task& task_;
  const learn::Table& train_;
  const learn::Table& test_;
  std::stop_token stop_;
  const SiteExtras& extras_;
  SiteAnswer answer_;
  ModelFile file_;
  std::unique_ptr<learn::Model> model_;
  std::optional<ModelFile> own_;
  std::optional<UpdateWriter> writer_;  // of an update that is compressed
  std::string_view phase_;
};

}  // namespace

Result<SiteAnswer> PerformTask(const api::Task& task, ByteView model_file, const learn::Table& train,
                               const learn::Table& test, std::stop_token stop, const SiteExtras& extras) {
  Performance performance(task, train, test, std::move(stop), extras);
  auto answer = performance.Go(model_file);
  if (answer || answer.error().id == ErrorId::kInterrupted) return answer;
  SiteAnswer failed{FailedOffer(task, answer.error(), performance.phase()), {}};
  failed.offer.phases = performance.phases();
  return failed;
}

api::UpdateOffer FailedOffer(const api::Task& task, const Error& error, std::string_view phase) {
  api::UpdateOffer offer = BlankOffer(task);
  offer.failed = true;
  offer.error_code = static_cast<std::int64_t>(error.id);
  offer.error = error.message;
  offer.hint = error.hint;
  offer.phase = phase;
  return offer;
}

}  // namespace ote::federate
