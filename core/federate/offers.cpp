#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/federate/run_state.h"
#include "core/learn/statistics.h"
#include "crypto/digest.h"

namespace ote::federate {
namespace {

using std::chrono::milliseconds;

// A site that was too busy for its task is asked again after this.
constexpr milliseconds kRetry{500};
// A round is saved at most about this often while its answers come in. What was not saved is fetched again after a
// crash.
constexpr std::int64_t kSavesPerRound = 32;
// Refusals that are all told in the log; of more, only every doubling.
constexpr std::int64_t kToldRefusals = 20;

Error Refused(ErrorId id, std::string message) { return Error{id, std::move(message), {}}; }

// Times are only shown, so one that cannot be is shown as none.
double Sane(double seconds) { return std::isfinite(seconds) ? std::max(0.0, seconds) : 0.0; }
api::Phases Sane(api::Phases phases) {
  for (double* seconds : {&phases.wait, &phases.fetch, &phases.prepare, &phases.measure, &phases.train}) {
    *seconds = Sane(*seconds);
  }
  return phases;
}

// Sane measures: finite, and within what they can be.
Result<void> CheckMetrics(const api::Metrics& metrics, std::int64_t test_rows) {
  for (const auto* value : {&metrics.loss, &metrics.accuracy, &metrics.auc, &metrics.rmse}) {
    if (*value && !std::isfinite(**value)) return Fail(ErrorId::kUpdateNotFinite, "its metrics are not finite");
  }
  for (const auto* share : {&metrics.accuracy, &metrics.auc}) {
    if (*share && (**share < 0 || **share > 1))
      return Fail(ErrorId::kUpdateOutOfRange, "an accuracy or AUC outside 0 to 1");
  }
  if (metrics.rmse && *metrics.rmse < 0) return Fail(ErrorId::kUpdateOutOfRange, "a negative RMSE");
  if (metrics.rows < 0 || metrics.rows > test_rows) {
    return Fail(ErrorId::kUpdateOutOfRange,
                fmt::format("measured on {} rows, and its data set has {} for testing", metrics.rows, test_rows));
  }
  return {};
}

}  // namespace

Result<void> RunMachine::State::CheckOffer(const Asked& asked, const api::UpdateOffer& offer) const {
  if (kept.open->kind == api::TaskKind::kSurvey) {
    if (!offer.statistics) return Fail(ErrorId::kUpdateShape, "the answer to a survey has no statistics");
    if (std::cmp_not_equal(offer.statistics->columns.size(), kept.raw_features)) {
      return Fail(ErrorId::kStatisticsInvalid, fmt::format("statistics of {} columns, and the data set has {}",
                                                           offer.statistics->columns.size(), kept.raw_features));
    }
    return learn::CheckStatistics(*offer.statistics);
  }
  if (kept.open->Measures() && !kept.open->masks) {
    if (!offer.digest.empty() || offer.size != 0) return Fail(ErrorId::kUpdateShape, "an evaluation has no update");
    return CheckMetrics(offer.metrics, asked.test_rows);
  }
  if (offer.size != UpdateBytes()) {
    return Fail(ErrorId::kUpdateShape,
                fmt::format("the update has {} bytes, and the model needs {}", offer.size, UpdateBytes()));
  }
  if (!crypto::Digest::Parse(offer.digest)) {
    return Fail(ErrorId::kUpdateDigest, "its digest cannot be read");
  }
  if (kept.open->Measures()) return {};  // what else it says is not looked at
  if (offer.examples < 1 || offer.examples > asked.train_rows) {
    return Fail(ErrorId::kUpdateOutOfRange,
                fmt::format("it stands for {} examples, and its data set has {} for training", offer.examples,
                            asked.train_rows));
  }
  const bool normalized = strategy->Plan().normalize;
  if (!std::isfinite(offer.steps) || offer.steps < 0 || (normalized && offer.steps <= 0)) {
    return Fail(ErrorId::kUpdateOutOfRange, fmt::format("it took {} steps", offer.steps));
  }
  OTE_CHECK(CheckMetrics(offer.personal, asked.test_rows));
  if (!std::isfinite(offer.train_loss)) return Fail(ErrorId::kUpdateNotFinite, "its training loss is not finite");
  return CheckMetrics(offer.metrics, asked.test_rows);
}

void RunMachine::State::CountRefusal(const std::string& site, const Error& error) {
  auto& all = kept.run.refused;
  const std::string code = error.Code();
  auto it = std::lower_bound(all.begin(), all.end(), code,
                             [](const api::Refusal& a, const std::string& reason) { return a.reason < reason; });
  if (it == all.end() || it->reason != code) it = all.insert(it, api::Refusal{code, 0, {}, {}});
  ++it->count;
  it->last_cluster = site;
  it->last_message = CutText(error.message);
  const auto failure = FailureOf(site, "offer", error);
  const bool doubling = (it->count & (it->count - 1)) == 0;
  if (it->count <= kToldRefusals || doubling) {
    TellFailure("update-refused", failure, fmt::format("{} [{}], {} so far", CutText(error.message), code, it->count));
  }
}

void RunMachine::State::Answered(Asked& asked, Answer answer) {
  asked.answer = answer;
  asked.ask_again.reset();
  const auto every = std::max<std::int64_t>(1, static_cast<std::int64_t>(kept.open->asked.size()) / kSavesPerRound);
  if (++unsaved >= every) save = true;
}

void RunMachine::State::Failed(Asked& asked, Answer answer, api::SiteFailure failure) {
  asked.error = failure.message;
  asked.failure = std::move(failure);
  Answered(asked, answer);
}

// An answer that is not for the open round: nothing when it was taken before and its receipt got lost.
std::optional<Error> RunMachine::State::Stale(const std::string& site, const api::UpdateOffer& offer) {
  for (const api::Round& round : kept.run.rounds) {
    if (round.round < offer.round) continue;
    for (const api::RoundSite& past : round.sites) {
      if (past.name == site && past.digest == offer.digest && round.round - past.staleness == offer.round) {
        return std::nullopt;
      }
    }
    if (!Buffered()) break;
  }
  const std::string open = Over()      ? fmt::format("the run is {}", NameOf(kept.run.status))
                           : kept.open ? fmt::format("round {} is open", kept.open->round)
                                       : "no round is open";
  return Refused(ErrorId::kRoundStale, fmt::format("an answer for round {}, and {}", offer.round, open));
}

std::optional<Error> RunMachine::State::OnOffer(const std::string& site, const api::UpdateOffer& offer,
                                                const std::optional<Error>& wrong) {
  const auto refuse = [this, &site](Error error) -> std::optional<Error> {
    CountRefusal(site, error);
    return error;
  };
  Asked* asked = Over() || !kept.open ? nullptr : kept.open->Find(site);
  const bool current = asked != nullptr && asked->base == offer.round;
  if (!current && (Over() || !kept.open || offer.round != kept.open->round)) {
    auto stale = Stale(site, offer);
    // A round is unmasked as soon as there are shares enough; the others' come late, and that is no fault of theirs.
    if (stale && !api::IsMaskStep(offer.kind)) CountRefusal(site, *stale);
    return stale;
  }
  OpenRound& open = *kept.open;
  if (current && open.masks && offer.stage != open.Stage()) {
    // Of a step that is over: the site has the next task, or gets it.
    return Refused(ErrorId::kRoundStale, fmt::format("an answer to {} of round {}, which is at {}", NameOf(offer.kind),
                                                     open.round, NameOf(open.Doing())));
  }
  if (!current || offer.kind != open.Doing()) {
    return refuse(Refused(ErrorId::kUpdateUnasked, fmt::format("{} was not asked in round {}", site, open.round)));
  }
  if (api::IsMaskStep(open.Doing()) && !offer.failed) {
    auto refused_answer = OnMaskAnswer(*asked, offer);
    return refused_answer ? refuse(std::move(*refused_answer)) : std::nullopt;
  }
  const bool again = offer.digest == asked->result.digest;
  if (asked->answer == Answer::kFolded || (asked->answer == Answer::kOffered && again)) {
    if (again) return std::nullopt;
    return refuse(
        Refused(ErrorId::kUpdateDuplicate, fmt::format("{} has answered round {} already", site, open.round)));
  }
  if (!asked->Open()) {
    if (offer.failed) return std::nullopt;
    return refuse(
        Refused(ErrorId::kUpdateDuplicate, fmt::format("{} is out of round {}: {}", site, open.round, asked->error)));
  }
  if (offer.failed) {
    const bool known = offer.error_code > 0 && offer.error_code < 10'000;
    Error error{known ? static_cast<ErrorId>(offer.error_code) : ErrorId::kTrainingFailed,
                offer.error.empty() ? "it gave no reason" : offer.error, offer.hint};
    auto failure = FailureOf(site, offer.phase.empty() ? NameOf(open.Doing()) : std::string_view(offer.phase), error);
    TellFailure("site-failed", failure, failure.message);
    Failed(*asked, Answer::kFailed, std::move(failure));
    return std::nullopt;
  }
  if (const auto checked = wrong ? Fail(*wrong) : CheckOffer(*asked, offer); !checked) {
    Failed(*asked, Answer::kRefused, FailureOf(site, "offer", checked.error()));
    return refuse(checked.error());
  }
  asked->result.examples = offer.examples;
  asked->result.digest = offer.digest;
  asked->result.train_loss = offer.train_loss;
  asked->result.metrics = offer.metrics;
  asked->result.seconds = Sane(offer.seconds);
  asked->result.steps = offer.steps;
  asked->result.personal = offer.personal;
  asked->result.phases = Sane(offer.phases);
  asked->result.trainer = CutText(offer.trainer, 63);
  asked->result.staleness = Staleness(*asked);
  asked->within = offer.within.value_or(false);
  asked->size = offer.size;
  asked->statement = offer.statement;
  asked->ask_again.reset();
  if (open.Measures() && !open.masks) {
    Answered(*asked, Answer::kFolded);
    Tell("model-measured", site, fmt::format("on {} rows", offer.metrics.rows));
  } else if (open.kind == api::TaskKind::kSurvey) {
    asked->statistics = offer.statistics;
    Answered(*asked, Answer::kFolded);
    Tell("data-surveyed", site, fmt::format("{} rows", offer.statistics->rows));
  } else {
    asked->answer = Answer::kOffered;
    asked->held = BySum(*asked) && now.steady < deadline;
  }
  return std::nullopt;
}

void RunMachine::State::OnTaskRefused(const TaskRefused& refusal) {
  if (Over() || !kept.open) return;
  Asked* asked = kept.open->Find(refusal.site);
  if (asked == nullptr || asked->base != refusal.round || asked->answer != Answer::kPending) return;
  if (refusal.stage != kept.open->Stage()) return;
  const ErrorId id = refusal.error.id;
  if (id == ErrorId::kBusy || id == ErrorId::kTimedOut || id == ErrorId::kUnreachable) {
    asked->ask_again = now.steady + kRetry;
    return;
  }
  auto failure = FailureOf(refusal.site, "task", refusal.error);
  TellFailure("site-failed", failure, failure.message);
  Failed(*asked, Answer::kFailed, std::move(failure));
}

void RunMachine::State::AskAgain() {
  if (Over() || !kept.open) return;
  for (Asked& asked : kept.open->asked) {
    if (!asked.ask_again || *asked.ask_again > now.steady) continue;
    asked.ask_again.reset();
    if (asked.answer == Answer::kPending) AskAnew(asked);
  }
}

}  // namespace ote::federate
