#include "core/federate/compress/update_writer.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "core/federate/accumulator.h"
#include "core/federate/compress/quantize.h"
#include "core/federate/compress/sparse.h"

namespace ote::federate {

UpdateWriter::UpdateWriter(const UpdateForm& form, std::uint64_t seed) : form_(form), random_(seed) {
  assert(form.Compressed());
  out_.resize(SizeOf(form));
  PutHeader(form, std::span(out_).first<kUpdateHeader>());
}

void UpdateWriter::Add(std::span<float> vector) {
  assert(vector.size() == form_.Length() && at_ < out_.size());
  const auto room = std::span(out_).subspan(at_, (out_.size() - kUpdateHeader) / form_.vectors);
  if (form_.compression.kind == api::CompressionKind::kQuantize) {
    QuantizeInto(vector, form_.compression.bits, random_, room);
  } else {
    KeepLargest(vector, KeptOf(vector.size(), form_.compression.fraction), room);
  }
  at_ += room.size();
}

Bytes UpdateWriter::Take() && {
  assert(at_ == out_.size());
  return std::move(out_);
}

void AddWithFeedback(UpdateWriter& writer, std::vector<float>& vector, Bytes& residual) {
  const std::size_t bytes = vector.size() * sizeof(float);
  if (residual.size() != bytes) residual.assign(bytes, 0);
  std::vector<float> wanted(vector.size());
  std::memcpy(wanted.data(), residual.data(), bytes);
  constexpr auto kMost = static_cast<float>(kBound);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    wanted[i] += vector[i];
    // What has gathered beyond the bound waits too.
    vector[i] = std::clamp(wanted[i], -kMost, kMost);
  }
  writer.Add(vector);
  for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] -= vector[i];
  std::memcpy(residual.data(), wanted.data(), bytes);
}

}  // namespace ote::federate
