#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/units.h"
#include "core/federate/model_file.h"
#include "core/federate/plan.h"
#include "core/federate/run_state.h"
#include "core/learn/safetensors.h"

namespace ote::federate {
namespace {

tl::unexpected<Error> Corrupt(std::string_view why) {
  return Fail(ErrorId::kStoreCorrupt, fmt::format("the state of a run: {}", why));
}

Result<void> CheckAsked(const std::vector<Asked>& all, const Kept& kept, bool train, std::int64_t capacity,
                        bool weighs) {
  std::int64_t rows = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Asked& asked = all[i];
    if (i > 0 && all[i - 1].name >= asked.name) return Corrupt("its sites are out of order");
    if (asked.train_rows < 1 || asked.train_rows > kMaxRows - rows || asked.test_rows < 0) return Corrupt("row counts");
    rows += asked.train_rows;
    if (asked.base < 0 || asked.base > static_cast<std::int64_t>(kept.run.rounds.size()) + 1) {
      return Corrupt("a site works for a round to come");
    }
    const bool weighed = asked.result.examples >= 1 && asked.result.examples <= asked.train_rows;
    if (weighs && asked.answer == Answer::kFolded && !weighed) return Corrupt("an update stands for no examples");
    if (asked.result.staleness < 0) return Corrupt("an update from a round to come");
  }
  if (train && rows > capacity) return Corrupt("its grid is too small");
  return {};
}

Result<void> CheckOpen(const OpenRound& open, const Kept& kept) {
  const api::Run& run = kept.run;
  const auto finished = static_cast<std::int64_t>(run.rounds.size());
  const bool train = open.kind == api::TaskKind::kTrain;
  const bool survey = open.kind == api::TaskKind::kSurvey;
  if (survey == kept.surveyed || open.round != (survey ? 0 : finished + 1) ||
      (!survey && train != (finished < run.planned_rounds))) {
    return Corrupt("another round is open");
  }
  const bool masked = run.spec.masks.kind != api::MaskKind::kNone && !survey && (train || !open.asked.empty());
  if (open.masks.has_value() != masked) {
    return Corrupt("a round has masks, and its run has none, or the other way round");
  }
  if (open.elapsed_ms < 0) return Corrupt("a round began after it was saved");
  if (open.capacity < 1 || open.capacity > kMaxRows) return Corrupt("its grid is out of range");
  const bool buffered = run.spec.strategy.kind == api::StrategyKind::kFedBuff;
  return CheckAsked(open.asked, kept, train, open.capacity / (buffered ? kFresh : 1),
                    open.Doing() == api::TaskKind::kTrain);
}

// A state of before there were surveys and rounds that overlap, as this ote would have written it.
void Upgrade(Kept& kept) {
  if (kept.format != 1) return;
  kept.format = Kept::kFormat;
  kept.surveyed = true;
  kept.raw_features = kept.run.features;
  kept.run.planned_rounds = kept.run.spec.rounds;
  if (!kept.open) return;
  for (Asked& asked : kept.open->asked) {
    asked.base = kept.open->round;
    asked.model = kept.run.model.digest;
  }
}

Result<void> CheckKept(const Kept& kept) {
  if (kept.format != Kept::kFormat) {
    return Fail(ErrorId::kStoreNewer,
                fmt::format("the state of a run: it has format {}, and this ote reads {}", kept.format, Kept::kFormat));
  }
  if (const auto valid = CheckPlan(kept.run.spec); !valid) return Corrupt(valid.error().message);
  if (kept.run.Over()) return {};
  if (kept.run.spec.privacy.kind != api::NoiseKind::kNone) {
    if (!(kept.clip_norm > 0 && kept.clip_norm <= 1e9)) return Corrupt("its clipping norm is out of range");
    if (kept.run.spec.privacy.kind == api::NoiseKind::kCentral && kept.secret.size() < 16) {
      return Corrupt("what its noise is made from is gone");
    }
    if (kept.open && !(kept.open->count_noise >= 0 && kept.open->count_noise <= 1e9))
      return Corrupt("its count's noise");
  }
  if (kept.capacity < 1 || kept.capacity > kMaxRows) return Corrupt("its grid is out of range");
  if (kept.raw_features < 1) return Corrupt("it has no features");
  for (std::size_t i = 0; i < kept.run.rounds.size(); ++i) {
    if (kept.run.rounds[i].round != static_cast<std::int64_t>(i) + 1) return Corrupt("its rounds are out of order");
  }
  const auto finished = static_cast<std::int64_t>(kept.run.rounds.size());
  if (finished > kept.run.planned_rounds) return Corrupt("it has too many rounds");
  if (!kept.surveyed && finished > 0) return Corrupt("it began before its survey");
  if (kept.best.round < 0 || kept.best.round > finished) return Corrupt("its best round is to come");
  if (!std::is_sorted(kept.missed.begin(), kept.missed.end())) return Corrupt("its sites are out of order");
  OTE_CHECK(CheckAsked(kept.in_flight, kept, false, 0, false));
  if (kept.open) OTE_CHECK(CheckOpen(*kept.open, kept));
  return {};
}

Result<Bytes> ReadNeeded(const ArtifactReader& read, const std::string& digest) {
  Result<Bytes> bytes = read(digest);
  if (!bytes) return Fail(std::move(bytes).error().Context("an artifact of a run"));
  return bytes;
}

}  // namespace

std::vector<std::string> RunMachine::State::NeededNow() const {
  std::set<std::string> out = {kept.run.model.digest};
  if (kept.run.status != api::RunStatus::kFinished) {
    out.insert(kept.strategy);
    for (const api::Checkpoint& checkpoint : kept.run.checkpoints) out.insert(checkpoint.digest);
    if (kept.run.spec.stop.select == api::Selection::kBest) out.insert(kept.best.digest);
    for (const Asked& asked : kept.in_flight) out.insert(asked.model);
    if (kept.open) {
      for (const Asked& asked : kept.open->asked) {
        if (asked.Open()) out.insert(asked.model);
      }
      if (kept.run.spec.record.updates == api::KeepUpdates::kKeep) {
        for (const Asked& asked : kept.open->asked) {
          if (asked.answer == Answer::kFolded) out.insert(asked.result.digest);
        }
      }
      out.insert(kept.open->checkpoint);
      for (const Spooled& spooled : kept.open->spooled) out.insert(spooled.digest);
      if (kept.open->masks) {
        for (std::string& digest : kept.open->masks->Artifacts()) out.insert(std::move(digest));
      }
    }
  }
  out.erase("");
  return {out.begin(), out.end()};
}

// What is made anew from the spec, and the model's parameters.
Result<void> RunMachine::State::LoadModel() {
  const api::Run& run = kept.run;
  strategy = MakeStrategy(run.spec.strategy);
  if (!kept.surveyed) return {};
  OTE_TRY(const Bytes file, ReadNeeded(artifacts.whole, run.model.digest));
  auto parsed = ReadModelFile(file);
  if (!parsed) return Corrupt(parsed.error().message);
  if (parsed->spec != run.spec.model || parsed->task != run.spec.task || parsed->features != run.features ||
      parsed->classes != run.classes || parsed->preparation != run.preparation) {
    return Corrupt("its model is another one");
  }
  auto made = parsed->Make();
  if (!made) return Corrupt(made.error().message);
  maker = std::move(*made);
  model = std::move(parsed->values);
  if (run.planned_rounds != maker->Rounds(run.spec.rounds)) return Corrupt("it has another number of rounds");
  strategy_state.resize(static_cast<std::size_t>(strategy->StateVectors()) * model.size());
  strategy->Begin(strategy_state);
  if (kept.strategy.empty()) return {};
  OTE_TRY(const Bytes state, ReadNeeded(artifacts.whole, kept.strategy));
  if (state.size() != strategy_state.size() * sizeof(float)) return Corrupt("what its strategy remembers is cut");
  if (!state.empty()) std::memcpy(strategy_state.data(), state.data(), state.size());
  return {};
}

Result<void> RunMachine::State::LoadSum() {
  OpenRound& open = *kept.open;
  std::int64_t expected = 0;
  for (const Asked& asked : open.asked) {
    if (asked.answer == Answer::kFolded) expected += WeightOf(asked);
  }
  if (strategy->NeedsAll()) {
    spooled_bytes = std::ssize(open.spooled) * UpdateBytes();
    return {};
  }
  if (open.masks) {
    OTE_CHECK(LoadMasks());
    if (open.masks->step != open.kind && !api::IsMaskStep(open.masks->step)) return Corrupt("its step");
  }
  PrepareSum();
  if (!open.checkpoint.empty() && masked) {
    OTE_TRY(const Bytes saved, ReadNeeded(artifacts.whole, open.checkpoint));
    OTE_TRY(masked, MaskedSum::Restore(saved));
    if (std::cmp_not_equal(masked->count() * sizeof(float), UpdateBytes())) {
      return Corrupt("its checkpoint is of another model");
    }
  } else if (!open.checkpoint.empty()) {
    if (!sum) return Corrupt("a checkpoint of no sum");
    const Grid grid = sum->grid();
    OTE_TRY(const Bytes saved, ReadNeeded(artifacts.whole, open.checkpoint));
    OTE_TRY(sum, Accumulator::Restore(saved));
    if (sum->grid() != grid || std::cmp_not_equal(sum->count(), UpdateCount())) {
      return Corrupt("its checkpoint is of another model");
    }
  }
  for (const Spooled& spooled : open.spooled) {
    OTE_TRY(const Bytes update, ReadNeeded(artifacts.whole, spooled.digest));
    if (!sum && !masked) return Corrupt("updates of no sum");
    if (const auto folded = Fold(update, spooled.weight); !folded) return Corrupt(folded.error().message);
    spooled_bytes += static_cast<std::int64_t>(update.size());
  }
  if (masked) return CheckMaskedWeight() ? Result<void>{} : Corrupt("its masked sum is not of those that it names");
  if (open.masks) return {};
  if (sum->weight() != expected) return Corrupt("its sum is not that of the updates that it names");
  return {};
}

Result<void> RunMachine::State::Load() {
  OTE_CHECK(CheckKept(kept));
  if (Over()) return {};
  OTE_TRY(deadline_length, ParseDuration(kept.run.spec.sites.deadline));
  OTE_TRY(hand_length, ParseDuration(kept.run.spec.sites.hand_deadline));
  OTE_CHECK(LoadModel());
  // They are asked again, and offer again.
  for (Asked& asked : kept.in_flight) asked.answer = Answer::kPending;
  if (!kept.open) return {};
  for (Asked& asked : kept.open->asked) {
    const bool unsaved_answer = kept.open->kind == api::TaskKind::kSurvey && asked.answer == Answer::kFolded;
    if (asked.answer == Answer::kOffered || unsaved_answer) asked.answer = Answer::kPending;
  }
  return kept.open->masks || kept.open->kind == api::TaskKind::kTrain ? LoadSum() : Result<void>{};
}

void RunMachine::State::Resume() {
  if (!kept.open) return;
  // How long it was down is not known: clocks jump. The sites were cut off too, so they get the whole time again.
  const bool measures = kept.open->kind == api::TaskKind::kEvaluate;
  opened = now.steady - std::chrono::milliseconds(kept.open->elapsed_ms);
  deadline = now.steady + (measures ? std::min(deadline_length, kMeasuring) : deadline_length);
  hand_deadline = std::max(deadline, now.steady + hand_length);
  Tell("run-restored", "", fmt::format("carries on in {}", RoundName(*kept.open)));
  for (Asked& asked : kept.open->asked) {
    const auto it = sites.find(asked.name);
    asked.reachable = it != sites.end() && it->second.reachable;
    asked.by_hand = it != sites.end() && it->second.by_hand &&
                    std::find(kept.missed.begin(), kept.missed.end(), asked.name) == kept.missed.end();
    if (asked.answer == Answer::kPending && it == sites.end()) {
      asked.error = "no longer a member";
      Answered(asked, Answer::kRemoved);
    } else if (asked.answer == Answer::kPending) {
      AskAnew(asked);
    }
  }
}

Bytes RunMachine::Snapshot() const {
  if (!state_->kept.open) return ToCbor(state_->kept);
  Kept kept = state_->kept;
  kept.open->elapsed_ms = std::max<std::int64_t>(0, (state_->now.steady - state_->opened).count());
  return ToCbor(kept);
}

Result<RunMachine> RunMachine::Restore(ByteView snapshot, const std::vector<Site>& sites, Limits limits,
                                       Artifacts artifacts, const Now& now, Outcome* outcome, Resume resume) {
  auto state = std::make_unique<State>();
  auto kept = FromCbor<Kept>(snapshot);
  if (!kept) return Corrupt(kept.error().message);
  state->kept = std::move(*kept);
  Upgrade(state->kept);
  state->limits = std::move(limits);
  state->artifacts = std::move(artifacts);
  state->now = now;
  for (const Site& site : sites) state->sites[site.name] = site;
  api::Run& run = state->kept.run;
  if (resume == Resume::kYes && run.Over()) {
    if (run.status == api::RunStatus::kFinished) {
      return Fail(ErrorId::kConflict, fmt::format("run {}: it has finished", run.id));
    }
    run.status = api::RunStatus::kRunning;
    run.message.clear();
    run.finished_at = 0;
    ++run.resumed;
    state->save = true;
    state->Tell("run-taken-up", "", fmt::format("after {} rounds", run.rounds.size()));
  }
  OTE_CHECK(state->Load());
  if (state->Over()) {
    state->announced.emplace_back(ote::federate::Over{});
  } else {
    state->Resume();
    state->Settle();
  }
  *outcome = state->Take();
  return RunMachine(std::move(state));
}

}  // namespace ote::federate
