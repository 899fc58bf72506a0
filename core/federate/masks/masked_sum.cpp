#include "core/federate/masks/masked_sum.h"

#include <fmt/format.h>

#include <cstring>

namespace ote::federate {
namespace {

constexpr char kTag[8] = {'O', 'T', 'E', 'M', 'S', 'K', '1', '\0'};
constexpr std::size_t kHeader = 32;
constexpr std::int64_t kMostWeight = std::int64_t{1} << 40;

tl::unexpected<Error> WrongShape(std::size_t bytes, std::size_t count) {
  return Fail(ErrorId::kUpdateShape, fmt::format("the masked update has {} bytes, and the model needs {}", bytes,
                                                 count * sizeof(std::uint32_t)));
}

std::int64_t Get(ByteView bytes, std::size_t at) noexcept {
  std::int64_t value = 0;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

}  // namespace

Result<void> MaskedSum::Fold(ByteView update, std::int64_t weight) {
  if (update.size() != values_.size() * sizeof(std::uint32_t)) return WrongShape(update.size(), values_.size());
  if (weight < 1 || weight > kMostWeight - weight_) {
    return Fail(ErrorId::kUpdateOutOfRange, fmt::format("the masked update stands for {} examples", weight));
  }
  for (std::size_t i = 0; i < values_.size(); ++i) {
    std::uint32_t value = 0;
    std::memcpy(&value, update.data() + i * sizeof value, sizeof value);
    values_[i] += value;
  }
  weight_ += weight;
  ++updates_;
  return {};
}

Result<void> MaskedSum::Merge(const MaskedSum& other, std::int64_t weight) {
  if (other.count() != count()) return WrongShape(other.count() * sizeof(std::uint32_t), count());
  if (weight < 0 || weight > kMostWeight - weight_) {
    return Fail(ErrorId::kUpdateOutOfRange, fmt::format("the masked sum stands for {} examples", weight));
  }
  for (std::size_t i = 0; i < values_.size(); ++i) values_[i] += other.values_[i];
  weight_ += weight;
  updates_ += other.updates_;
  return {};
}

std::size_t MaskedSum::SavedSize(std::size_t count) noexcept { return kHeader + count * sizeof(std::uint32_t); }

Bytes MaskedSum::Save() const {
  Bytes out(SavedSize(values_.size()));
  std::memcpy(out.data(), kTag, sizeof kTag);
  const std::int64_t numbers[] = {weight_, updates_, static_cast<std::int64_t>(values_.size())};
  std::memcpy(out.data() + sizeof kTag, numbers, sizeof numbers);
  if (!values_.empty()) std::memcpy(out.data() + kHeader, values_.data(), values_.size() * sizeof(std::uint32_t));
  return out;
}

Result<MaskedSum> MaskedSum::Restore(ByteView bytes) {
  const auto corrupt = [](std::string why) { return Fail(ErrorId::kStoreCorrupt, "a masked sum: " + why); };
  if (bytes.size() < kHeader || std::memcmp(bytes.data(), kTag, sizeof kTag) != 0) return corrupt("it is not one");
  const std::int64_t weight = Get(bytes, 8);
  const std::int64_t updates = Get(bytes, 16);
  const std::int64_t count = Get(bytes, 24);
  const std::size_t room = (bytes.size() - kHeader) / sizeof(std::uint32_t);
  if (count < 0 || static_cast<std::uint64_t>(count) != room ||
      kHeader + room * sizeof(std::uint32_t) != bytes.size()) {
    return corrupt("its length is not what it says");
  }
  if (weight < 0 || weight > kMostWeight || updates < 0 || updates > weight)
    return corrupt("its counts are out of range");
  MaskedSum out(room);
  if (room > 0) std::memcpy(out.values_.data(), bytes.data() + kHeader, room * sizeof(std::uint32_t));
  out.weight_ = weight;
  out.updates_ = updates;
  return out;
}

}  // namespace ote::federate
