#include "core/federate/relay_sum.h"

#include <fmt/format.h>

namespace ote::federate {

Result<void> MergeSaved(Accumulator& into, ByteView saved, std::int64_t weight) {
  OTE_TRY(const Accumulator other, Accumulator::Restore(saved));
  if (other.weight() != weight) {
    return Fail(ErrorId::kUpdateOutOfRange,
                fmt::format("its sum stands for {} examples, and those in it for {}", other.weight(), weight));
  }
  return into.Merge(other);
}

Result<void> MergeSaved(MaskedSum& into, ByteView saved, std::int64_t updates, std::int64_t weight) {
  OTE_TRY(const MaskedSum other, MaskedSum::Restore(saved));
  if (other.updates() != updates || other.weight() != updates) {
    return Fail(ErrorId::kUpdateOutOfRange,
                fmt::format("its sum is of {} masked updates, and {} are said to be in it", other.updates(), updates));
  }
  return into.Merge(other, weight);
}

Result<void> RelaySum::Fold(ByteView update, std::int64_t weight) {
  if (auto* masked = std::get_if<MaskedSum>(&sum_)) return masked->Fold(update, weight);
  return std::get<Accumulator>(sum_).FoldBytes(update, weight);
}

Result<void> RelaySum::Merge(ByteView saved, std::int64_t weight) {
  if (auto* masked = std::get_if<MaskedSum>(&sum_)) return MergeSaved(*masked, saved, weight, weight);
  return MergeSaved(std::get<Accumulator>(sum_), saved, weight);
}

Bytes RelaySum::Save() const {
  return std::visit([](const auto& sum) { return sum.Save(); }, sum_);
}

std::size_t RelaySum::SavedSize(bool masked, std::size_t count) noexcept {
  return masked ? MaskedSum::SavedSize(count) : Accumulator::SavedSize(count);
}

}  // namespace ote::federate
