#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/federate/run_state.h"
#include "crypto/digest.h"

namespace ote::federate {
namespace {

using std::chrono::milliseconds;

// A site whose update cannot be fetched is asked again after this; more often than kMaxFetches it is out of the round.
constexpr milliseconds kRetry{500};
constexpr int kMaxFetches = 5;
// A round is saved at most about this often while its answers come in. What was not saved is fetched again after a
// crash.
constexpr std::int64_t kSavesPerRound = 32;
// Refusals that are all told in the log; of more, only every doubling.
constexpr std::int64_t kToldRefusals = 20;
// Of what a site says of its failure, which may have the end of what its trainer printed.
constexpr std::size_t kLongestReason = 1000;

Error Refused(ErrorId id, std::string message) { return Error{id, std::move(message), {}}; }

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
  if (kept.open->kind == api::TaskKind::kEvaluate) {
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
  if (offer.examples < 1 || offer.examples > asked.train_rows) {
    return Fail(ErrorId::kUpdateOutOfRange,
                fmt::format("it stands for {} examples, and its data set has {} for training", offer.examples,
                            asked.train_rows));
  }
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
  const bool doubling = (it->count & (it->count - 1)) == 0;
  if (it->count <= kToldRefusals || doubling) {
    Tell("update-refused", site, fmt::format("{} [{}], {} so far", CutText(error.message), code, it->count));
  }
}

void RunMachine::State::Answered(Asked& asked, Answer answer, std::string error) {
  asked.answer = answer;
  asked.error = std::move(error);
  asked.ask_again.reset();
  const auto every = std::max<std::int64_t>(1, static_cast<std::int64_t>(kept.open->asked.size()) / kSavesPerRound);
  if (++unsaved >= every) save = true;
}

std::optional<Error> RunMachine::State::OnOffer(const std::string& site, const api::UpdateOffer& offer) {
  const auto refuse = [this, &site](Error error) -> std::optional<Error> {
    CountRefusal(site, error);
    return error;
  };
  if (Over() || !kept.open || offer.round != kept.open->round) {
    // An answer that was taken, and whose receipt got lost.
    if (offer.round >= 1 && offer.round <= static_cast<std::int64_t>(kept.run.rounds.size())) {
      for (const api::RoundSite& past : kept.run.rounds[static_cast<std::size_t>(offer.round - 1)].sites) {
        if (past.name == site && past.digest == offer.digest) return std::nullopt;
      }
    }
    const std::string open = Over()      ? fmt::format("the run is {}", NameOf(kept.run.status))
                             : kept.open ? fmt::format("round {} is open", kept.open->round)
                                         : "no round is open";
    return refuse(Refused(ErrorId::kRoundStale, fmt::format("an answer for round {}, and {}", offer.round, open)));
  }
  OpenRound& open = *kept.open;
  Asked* asked = open.Find(site);
  if (asked == nullptr || offer.kind != open.kind) {
    return refuse(Refused(ErrorId::kUpdateUnasked, fmt::format("{} was not asked in round {}", site, open.round)));
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
    const std::string why = offer.error.empty() ? "it gave no reason" : CutText(offer.error, kLongestReason);
    const bool known = offer.error_code > 0 && offer.error_code < 10'000;
    TellFailure(site, offer.phase,
                {known ? static_cast<ErrorId>(offer.error_code) : ErrorId::kTrainingFailed, why, offer.hint});
    Answered(*asked, Answer::kFailed, why);
    return std::nullopt;
  }
  if (const auto checked = CheckOffer(*asked, offer); !checked) {
    Answered(*asked, Answer::kRefused, checked.error().message);
    return refuse(checked.error());
  }
  asked->result.examples = offer.examples;
  asked->result.digest = offer.digest;
  asked->result.train_loss = offer.train_loss;
  asked->result.metrics = offer.metrics;
  asked->result.seconds = std::isfinite(offer.seconds) ? std::max(0.0, offer.seconds) : 0.0;
  asked->size = offer.size;
  asked->ask_again.reset();
  if (open.kind == api::TaskKind::kEvaluate) {
    Answered(*asked, Answer::kFolded, {});
    Tell("model-measured", site, fmt::format("on {} rows", offer.metrics.rows));
  } else {
    asked->answer = Answer::kOffered;
  }
  return std::nullopt;
}

void RunMachine::State::StartFetches() {
  if (Over() || !kept.open || kept.open->kind != api::TaskKind::kTrain) return;
  for (const Asked& asked : kept.open->asked) {
    if (static_cast<std::int64_t>(fetching.size()) >= std::max(1, limits.fetches)) return;
    if (asked.answer != Answer::kOffered) continue;
    const bool on_its_way =
        std::any_of(fetching.begin(), fetching.end(), [&asked](const Fetching& f) { return f.site == asked.name; });
    if (on_its_way) continue;
    fetching.push_back({asked.name, asked.result.digest});
    announced.emplace_back(FetchUpdate{asked.name, kept.open->round, asked.result.digest, asked.size});
  }
}

void RunMachine::State::OnFetched(const Fetched& fetched) {
  std::erase_if(fetching,
                [&fetched](const Fetching& f) { return f.site == fetched.site && f.digest == fetched.digest; });
  const bool now_open = !Over() && kept.open && kept.open->round == fetched.round;
  Asked* asked = now_open ? kept.open->Find(fetched.site) : nullptr;
  if (asked == nullptr || asked->answer != Answer::kOffered || asked->result.digest != fetched.digest) {
    DropUnlessNeeded(fetched.digest);
    return;
  }
  OpenRound& open = *kept.open;
  if (const auto folded = sum->FoldBytes(fetched.update, asked->result.examples); !folded) {
    Answered(*asked, Answer::kRefused, folded.error().message);
    CountRefusal(asked->name, folded.error());
    DropUnlessNeeded(fetched.digest);
    return;
  }
  Answered(*asked, Answer::kFolded, {});
  open.spooled.push_back({fetched.digest, asked->result.examples});
  spooled_bytes += asked->size;
  Tell("update-folded", asked->name, fmt::format("{} examples", asked->result.examples));
  // A checkpoint weighs as much as two updates: fewer than four of them are not worth one.
  const auto spooled = static_cast<std::int64_t>(open.spooled.size());
  if (spooled >= 4 && spooled_bytes > limits.spool_bytes) Checkpoint();
}

void RunMachine::State::Checkpoint() {
  OpenRound& open = *kept.open;
  Bytes bytes = sum->Save();
  const std::string old = std::exchange(open.checkpoint, crypto::DigestOf(bytes).ToString());
  durable.emplace_back(StoreArtifact{open.checkpoint, std::move(bytes)});
  const std::vector<Spooled> spooled = std::exchange(open.spooled, {});
  spooled_bytes = 0;
  save = true;
  for (const Spooled& update : spooled) DropUnlessNeeded(update.digest);
  if (!old.empty()) DropUnlessNeeded(old);
}

void RunMachine::State::OnFetchFailed(const FetchFailed& failed) {
  std::erase_if(fetching, [&failed](const Fetching& f) { return f.site == failed.site; });
  if (Over() || !kept.open || kept.open->round != failed.round) return;
  Asked* asked = kept.open->Find(failed.site);
  if (asked == nullptr || asked->answer != Answer::kOffered) return;
  if (failed.error.id == ErrorId::kUpdateDigest || failed.error.id == ErrorId::kArtifactCorrupt) {
    const Error error = Refused(ErrorId::kUpdateDigest, CutText(failed.error.message));
    Answered(*asked, Answer::kRefused, error.message);
    CountRefusal(asked->name, error);
    return;
  }
  Tell("fetch-failed", asked->name, CutText(failed.error.message));
  if (++asked->fetches_failed >= kMaxFetches) {
    Answered(*asked, Answer::kFailed,
             fmt::format("its update could not be fetched: {}", CutText(failed.error.message)));
    return;
  }
  asked->answer = Answer::kPending;
  asked->ask_again = now.steady + kRetry;
}

void RunMachine::State::OnTaskRefused(const TaskRefused& refusal) {
  if (Over() || !kept.open || kept.open->round != refusal.round) return;
  Asked* asked = kept.open->Find(refusal.site);
  if (asked == nullptr || asked->answer != Answer::kPending) return;
  const ErrorId id = refusal.error.id;
  if (id == ErrorId::kBusy || id == ErrorId::kTimedOut || id == ErrorId::kUnreachable) {
    asked->ask_again = now.steady + kRetry;
    return;
  }
  const std::string why = CutText(refusal.error.message);
  TellFailure(refusal.site, {}, {id, why, refusal.error.hint});
  Answered(*asked, Answer::kFailed, why);
}

void RunMachine::State::AskAgain() {
  if (Over() || !kept.open) return;
  for (Asked& asked : kept.open->asked) {
    if (!asked.ask_again || *asked.ask_again > now.steady) continue;
    asked.ask_again.reset();
    if (asked.answer == Answer::kPending && asked.reachable) SendTo(asked);
  }
}

void RunMachine::State::DropUnlessNeeded(const std::string& digest) {
  if (!Over()) {
    if (digest == kept.run.model.digest) return;
    if (kept.open) {
      if (digest == kept.open->checkpoint) return;
      for (const Spooled& spooled : kept.open->spooled) {
        if (spooled.digest == digest) return;
      }
      // Two sites may have the same update, and the other one's is about to be folded.
      for (const Asked& asked : kept.open->asked) {
        if (asked.answer == Answer::kOffered && asked.result.digest == digest) return;
      }
    }
  }
  announced.emplace_back(DropArtifact{digest});
}

}  // namespace ote::federate
