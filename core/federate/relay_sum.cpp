#include "core/federate/relay_sum.h"

#include <fmt/format.h>

#include <utility>

#include "core/federate/compress/update_reader.h"

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

Result<RelaySum> RelaySum::For(const api::FoldWork& work, std::int64_t most) {
  const auto no = [](std::string_view why) {
    return Fail(ErrorId::kMalformed, fmt::format("updates to fold: {}", why));
  };
  if (work.count > most) return no("they have too many values");
  const UpdateForm form{work.compression.value_or(api::CompressionSpec{}), static_cast<std::size_t>(work.count),
                        static_cast<std::size_t>(work.vectors)};
  if (!std::cmp_equal(SizeOf(form), work.size)) return no("they have another size");
  if (work.masked) return Masked(form.values);
  const auto finest = ChooseGrid(work.capacity);
  if (!finest || work.exponent > finest->exponent) return no("the grid is none");
  return Exact(form, {static_cast<int>(work.exponent), work.capacity});
}

Result<void> RelaySum::Fold(ByteView update, std::int64_t weight) {
  if (auto* masked = std::get_if<MaskedSum>(&sum_)) return masked->Fold(update, weight);
  auto& sum = std::get<Accumulator>(sum_);
  if (!form_.Compressed()) return sum.FoldBytes(update, weight);
  OTE_TRY(const auto reader, UpdateReader::Open(update, form_));
  return sum.FoldPieces([&reader](const PieceTaker& take) { reader.ForEach(take); }, weight);
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
