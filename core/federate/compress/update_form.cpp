#include "core/federate/compress/update_form.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "core/federate/compress/quantize.h"
#include "core/federate/compress/sparse.h"

namespace ote::federate {
namespace {

constexpr char kTag[8] = {'O', 'T', 'E', 'U', 'P', 'D', '1', '\0'};
constexpr std::uint64_t kQuantizeMethod = 1;
constexpr std::uint64_t kTopKMethod = 2;

bool Quantizes(const UpdateForm& form) noexcept { return form.compression.kind == api::CompressionKind::kQuantize; }

}  // namespace

std::size_t KeptOf(std::size_t count, double fraction) noexcept {
  const double wanted = std::ceil(fraction * static_cast<double>(count));
  return std::clamp<std::size_t>(static_cast<std::size_t>(wanted), std::min<std::size_t>(1, count), count);
}

std::size_t SizeOf(const UpdateForm& form) noexcept {
  if (!form.Compressed()) return form.values * sizeof(float);
  const std::size_t vector = Quantizes(form)
                                 ? QuantizedSize(form.Length(), form.compression.bits)
                                 : SparseSize(form.Length(), KeptOf(form.Length(), form.compression.fraction));
  return kUpdateHeader + form.vectors * vector;
}

void PutHeader(const UpdateForm& form, std::span<std::uint8_t, kUpdateHeader> out) noexcept {
  const std::array<std::uint64_t, 4> fields = {Quantizes(form) ? kQuantizeMethod : kTopKMethod,
                                               Quantizes(form) ? static_cast<std::uint64_t>(form.compression.bits)
                                                               : KeptOf(form.Length(), form.compression.fraction),
                                               form.values, form.vectors};
  std::memcpy(out.data(), kTag, sizeof kTag);
  std::memcpy(out.data() + sizeof kTag, fields.data(), sizeof fields);
}

bool HasHeader(ByteView bytes, const UpdateForm& form) noexcept {
  std::array<std::uint8_t, kUpdateHeader> header;
  PutHeader(form, header);
  return bytes.size() >= header.size() && std::equal(header.begin(), header.end(), bytes.begin());
}

}  // namespace ote::federate
