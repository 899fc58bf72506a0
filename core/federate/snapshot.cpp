#include <fmt/format.h>

#include <algorithm>

#include "core/base/units.h"
#include "core/federate/model_file.h"
#include "core/federate/run_state.h"
#include "core/learn/safetensors.h"

namespace ote::federate {
namespace {

tl::unexpected<Error> Corrupt(std::string_view why) {
  return Fail(ErrorId::kStoreCorrupt, fmt::format("the state of a run: {}", why));
}

Result<void> CheckOpen(const OpenRound& open, const api::Run& run) {
  const auto finished = static_cast<std::int64_t>(run.rounds.size());
  const bool train = open.kind == api::TaskKind::kTrain;
  if (open.round != finished + 1 || train != (finished < run.spec.rounds)) return Corrupt("another round is open");
  if (open.elapsed_ms < 0) return Corrupt("a round began after it was saved");
  std::int64_t rows = 0;
  for (std::size_t i = 0; i < open.asked.size(); ++i) {
    const Asked& asked = open.asked[i];
    if (i > 0 && open.asked[i - 1].name >= asked.name) return Corrupt("its sites are out of order");
    if (asked.train_rows < 1 || asked.train_rows > kMaxRows - rows || asked.test_rows < 0) return Corrupt("row counts");
    rows += asked.train_rows;
    const bool weighed = asked.result.examples >= 1 && asked.result.examples <= asked.train_rows;
    if (train && asked.answer == Answer::kFolded && !weighed) return Corrupt("an update stands for no examples");
  }
  if (train && rows > open.capacity) return Corrupt("its grid is too small");
  return {};
}

Result<void> CheckKept(const Kept& kept) {
  if (kept.format != 1) {
    return Fail(ErrorId::kStoreNewer,
                fmt::format("the state of a run: it has format {}, and this ote reads 1", kept.format));
  }
  if (const auto valid = api::Validate(kept.run.spec); !valid) return Corrupt(valid.error().message);
  if (kept.run.Over()) return {};
  if (kept.capacity < 1 || kept.capacity > kMaxRows) return Corrupt("its grid is out of range");
  for (std::size_t i = 0; i < kept.run.rounds.size(); ++i) {
    if (kept.run.rounds[i].round != static_cast<std::int64_t>(i) + 1) return Corrupt("its rounds are out of order");
  }
  if (static_cast<std::int64_t>(kept.run.rounds.size()) > kept.run.spec.rounds)
    return Corrupt("it has too many rounds");
  if (!std::is_sorted(kept.missed.begin(), kept.missed.end())) return Corrupt("its sites are out of order");
  if (kept.open) OTE_CHECK(CheckOpen(*kept.open, kept.run));
  return {};
}

Result<Bytes> ReadNeeded(const ArtifactReader& read, const std::string& digest) {
  Result<Bytes> bytes = read(digest);
  if (!bytes) return Fail(std::move(bytes).error().Context("an artifact of a run"));
  return bytes;
}

}  // namespace

std::vector<std::string> RunMachine::State::NeededNow() const {
  std::vector<std::string> out;
  if (Over()) return out;
  out.push_back(kept.run.model.digest);
  if (!kept.open) return out;
  if (!kept.open->checkpoint.empty()) out.push_back(kept.open->checkpoint);
  for (const Spooled& spooled : kept.open->spooled) out.push_back(spooled.digest);
  return out;
}

Result<void> RunMachine::State::Load(const ArtifactReader& read) {
  OTE_CHECK(CheckKept(kept));
  if (Over()) return {};
  const api::Run& run = kept.run;
  OTE_TRY(deadline_length, ParseDuration(run.spec.sites.deadline));
  OTE_TRY(const Bytes file, ReadNeeded(read, run.model.digest));
  auto parsed = ReadModelFile(file);
  if (!parsed) return Corrupt(parsed.error().message);
  if (parsed->spec != run.spec.model || parsed->task != run.spec.task || parsed->features != run.features ||
      parsed->classes != run.classes) {
    return Corrupt("its model is another one");
  }
  layout = std::move(parsed->layout);
  model = std::move(parsed->values);
  if (!kept.open || kept.open->kind != api::TaskKind::kTrain) return {};

  OpenRound& open = *kept.open;
  std::int64_t expected = 0;
  for (Asked& asked : open.asked) {
    if (asked.answer == Answer::kOffered) asked.answer = Answer::kPending;  // it is asked again, and offers again
    if (asked.answer == Answer::kFolded) expected += asked.result.examples;
  }
  OTE_TRY(const Grid grid, ChooseGrid(open.capacity));
  if (open.checkpoint.empty()) {
    sum.emplace(model.size(), grid);
  } else {
    OTE_TRY(const Bytes saved, ReadNeeded(read, open.checkpoint));
    OTE_TRY(sum, Accumulator::Restore(saved));
    if (sum->grid() != grid || sum->count() != model.size()) return Corrupt("its checkpoint is of another model");
  }
  for (const Spooled& spooled : open.spooled) {
    OTE_TRY(const Bytes update, ReadNeeded(read, spooled.digest));
    if (const auto folded = sum->FoldBytes(update, spooled.weight); !folded) return Corrupt(folded.error().message);
    spooled_bytes += static_cast<std::int64_t>(update.size());
  }
  if (sum->weight() != expected) return Corrupt("its sum is not that of the updates that it names");
  return {};
}

void RunMachine::State::Resume() {
  if (!kept.open) return;
  // How long it was down is not known: clocks jump. The sites were cut off too, so they get the whole time again.
  const bool train = kept.open->kind == api::TaskKind::kTrain;
  opened = now.steady - std::chrono::milliseconds(kept.open->elapsed_ms);
  deadline = now.steady + (train ? deadline_length : std::min(deadline_length, kMeasuring));
  Tell("run-restored", "", fmt::format("carries on in round {}", kept.open->round));
  for (Asked& asked : kept.open->asked) {
    const auto it = sites.find(asked.name);
    asked.reachable = it != sites.end() && it->second.reachable;
    if (asked.answer == Answer::kPending && it == sites.end()) {
      Answered(asked, Answer::kRemoved, "no longer a member");
    } else if (asked.answer == Answer::kPending && asked.reachable) {
      SendTo(asked);
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
                                       const ArtifactReader& read, const Now& now, Outcome* outcome) {
  auto state = std::make_unique<State>();
  auto kept = FromCbor<Kept>(snapshot);
  if (!kept) return Corrupt(kept.error().message);
  state->kept = std::move(*kept);
  state->limits = limits;
  state->now = now;
  for (const Site& site : sites) state->sites[site.name] = site;
  OTE_CHECK(state->Load(read));
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
