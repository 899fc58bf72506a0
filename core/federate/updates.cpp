// Fetches what was offered, and folds it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/federate/compress/update_reader.h"
#include "core/federate/masks/side.h"
#include "core/federate/run_state.h"
#include "crypto/digest.h"

namespace ote::federate {
namespace {

// A site whose update cannot be fetched is asked again after this; more often than kMaxFetches it is out of the round.
constexpr std::chrono::milliseconds kRetry{500};
constexpr int kMaxFetches = 5;

std::vector<float> ValuesOf(ByteView update) {
  std::vector<float> values(update.size() / sizeof(float));
  std::memcpy(values.data(), update.data(), values.size() * sizeof(float));
  return values;
}

// Scales the update down to the norm; as it is when it is not above it, or not finite, which folding tells.
std::vector<float> Clipped(std::vector<float> values, double norm) {
  double square = 0;
  for (const float value : values) square += static_cast<double>(value) * static_cast<double>(value);
  const double length = std::sqrt(square);
  if (!(length > norm) || !std::isfinite(length)) return values;
  const double factor = norm / length;
  for (float& value : values) value = static_cast<float>(static_cast<double>(value) * factor);
  return values;
}

}  // namespace

std::int64_t RunMachine::State::UpdateCount() const {
  if (kept.open && kept.open->Measures()) return 0;
  if (maker->Statistical()) return maker->ContributionCount(model);
  return strategy->Vectors() * static_cast<std::int64_t>(model.size());
}

UpdateForm RunMachine::State::FormOfUpdate() const {
  const auto vectors = maker->Statistical() ? std::size_t{1} : static_cast<std::size_t>(strategy->Vectors());
  return {kept.run.spec.compression, static_cast<std::size_t>(UpdateCount()), vectors};
}

std::int64_t RunMachine::State::UpdateBytes() const {
  const auto side = kept.open && kept.open->masks ? MaskSideWords() : 0;
  return static_cast<std::int64_t>(SizeOf(FormOfUpdate()) + side * sizeof(std::uint32_t));
}

std::int64_t RunMachine::State::WeightOf(const Asked& asked) const {
  return UpdateWeight(kept.run.spec.strategy, ExamplesOf(asked), asked.result.staleness);
}

Result<void> RunMachine::State::Fold(ByteView update, std::int64_t weight) {
  if (masked) return masked->Fold(update, weight);
  if (FormOfUpdate().Compressed()) return FoldCompressed(update, weight);
  const auto& norm = kept.run.spec.strategy.clip_norm;
  if (!strategy->NeedsAll() && !Central()) {
    return norm ? sum->Fold(Clipped(ValuesOf(update), *norm), weight) : sum->FoldBytes(update, weight);
  }
  OTE_CHECK(CheckUpdate(update, static_cast<std::size_t>(UpdateCount())));
  return strategy->NeedsAll() ? Result<void>{} : FoldClipped(ValuesOf(update), weight);
}

Result<void> RunMachine::State::FoldCompressed(ByteView update, std::int64_t weight) {
  OTE_TRY(const auto reader, UpdateReader::Open(update, FormOfUpdate()));
  if (strategy->NeedsAll()) return {};
  if (Central()) return FoldClipped(reader.Values(), weight);
  if (const auto& norm = kept.run.spec.strategy.clip_norm) return sum->Fold(Clipped(reader.Values(), *norm), weight);
  return sum->FoldPieces([&reader](const PieceTaker& take) { reader.ForEach(take); }, weight);
}

void RunMachine::State::StartFetches() {
  if (Over() || !kept.open || !kept.open->Fetches()) return;
  StartSums();
  for (const Asked& asked : kept.open->asked) {
    if (static_cast<std::int64_t>(fetching.size()) >= std::max(1, limits.fetches)) return;
    if (asked.answer != Answer::kOffered || BySum(asked)) continue;
    const bool on_its_way =
        std::any_of(fetching.begin(), fetching.end(), [&asked](const Fetching& f) { return f.site == asked.name; });
    if (on_its_way) continue;
    fetching.push_back({asked.name, asked.result.digest});
    announced.emplace_back(FetchUpdate{asked.name, asked.base, asked.result.digest, asked.size});
  }
}

void RunMachine::State::OnFetched(const Fetched& fetched) {
  std::erase_if(fetching,
                [&fetched](const Fetching& f) { return f.site == fetched.site && f.digest == fetched.digest; });
  Asked* asked = !Over() && kept.open ? kept.open->Find(fetched.site) : nullptr;
  if (asked == nullptr || asked->base != fetched.round || asked->answer != Answer::kOffered ||
      asked->result.digest != fetched.digest) {
    DropUnlessNeeded(fetched.digest);
    return;
  }
  OpenRound& open = *kept.open;
  asked->result.staleness = Staleness(*asked);  // its round may have been closed while it was on its way
  if (const auto folded = Fold(fetched.update, WeightOf(*asked)); !folded) {
    Failed(*asked, Answer::kRefused, FailureOf(asked->name, "update", folded.error()));
    CountRefusal(asked->name, folded.error());
    DropUnlessNeeded(fetched.digest);
    return;
  }
  Answered(*asked, Answer::kFolded);
  open.spooled.push_back({fetched.digest, WeightOf(*asked)});
  spooled_bytes += asked->size;
  const std::string stale = asked->result.staleness > 0 ? fmt::format(", {} rounds old", asked->result.staleness) : "";
  Tell("update-folded", asked->name, fmt::format("{} examples{}", asked->result.examples, stale));
  // A checkpoint weighs as much as two updates: fewer than four of them are not worth one.
  const auto spooled = static_cast<std::int64_t>(open.spooled.size());
  if (!strategy->NeedsAll() && spooled >= 4 && spooled_bytes > limits.spool_bytes) Checkpoint();
}

void RunMachine::State::Checkpoint() {
  OpenRound& open = *kept.open;
  Bytes bytes = masked ? masked->Save() : sum->Save();
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
  if (Over() || !kept.open) return;
  Asked* asked = kept.open->Find(failed.site);
  if (asked == nullptr || asked->base != failed.round || asked->answer != Answer::kOffered) return;
  const bool seal = failed.error.id == ErrorId::kSealBroken;
  if (seal || failed.error.id == ErrorId::kUpdateDigest || failed.error.id == ErrorId::kArtifactCorrupt) {
    const Error error{seal ? ErrorId::kSealBroken : ErrorId::kUpdateDigest, CutText(failed.error.message), {}};
    Failed(*asked, Answer::kRefused, FailureOf(asked->name, "update", error));
    CountRefusal(asked->name, error);
    return;
  }
  Tell("fetch-failed", asked->name, CutText(failed.error.message));
  if (++asked->fetches_failed >= kMaxFetches) {
    auto failure = FailureOf(asked->name, "update", failed.error);
    failure.message = fmt::format("its update could not be fetched: {}", failure.message);
    TellFailure("site-failed", failure, failure.message);
    Failed(*asked, Answer::kFailed, std::move(failure));
    return;
  }
  asked->answer = Answer::kPending;
  asked->direct = asked->held = false;
  asked->ask_again = now.steady + kRetry;
}

void RunMachine::State::DropUnlessNeeded(const std::string& digest) {
  if (digest.empty()) return;
  const std::vector<std::string> needed = NeededNow();
  if (std::find(needed.begin(), needed.end(), digest) != needed.end()) return;
  if (!Over() && kept.open) {
    // Two sites may have the same update, and the other one's is about to be folded.
    for (const Asked& asked : kept.open->asked) {
      if (asked.answer == Answer::kOffered && asked.result.digest == digest) return;
    }
  }
  announced.emplace_back(DropArtifact{digest});
}

}  // namespace ote::federate
