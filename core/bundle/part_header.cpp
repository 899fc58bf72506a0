#include "core/bundle/part_header.h"

#include <algorithm>

#include "crypto/digest.h"

namespace ote::bundle {
namespace {

constexpr std::size_t kSum = kPartHeader - 8;

void Put(std::array<std::uint8_t, kPartHeader>& out, std::size_t at, std::uint64_t value, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i) out.at(at + i) = static_cast<std::uint8_t>(value >> (8 * i));
}
std::uint64_t Get(ByteView bytes, std::size_t at, std::size_t width) {
  std::uint64_t value = 0;
  for (std::size_t i = width; i-- > 0;) value = value << 8 | bytes[at + i];
  return value;
}

}  // namespace

std::array<std::uint8_t, kPartHeader> Encode(const PartHeader& header) {
  std::array<std::uint8_t, kPartHeader> out{};
  std::copy(kPartMagic.begin(), kPartMagic.end(), out.begin());
  std::copy(header.which.begin(), header.which.end(), out.begin() + 8);
  Put(out, 24, header.number, 4);
  Put(out, 28, header.count, 4);
  Put(out, 32, header.offset, 8);
  Put(out, 40, header.length, 8);
  Put(out, 48, header.total, 8);
  const auto sum = crypto::DigestOf(ByteView(out).first(kSum));
  std::copy_n(sum.bytes.begin(), 8, out.begin() + kSum);
  return out;
}

std::optional<PartHeader> DecodePartHeader(ByteView bytes) {
  if (bytes.size() < kPartHeader || !std::equal(kPartMagic.begin(), kPartMagic.end(), bytes.begin())) return {};
  const auto sum = crypto::DigestOf(bytes.first(kSum));
  if (!std::equal(sum.bytes.begin(), sum.bytes.begin() + 8, bytes.begin() + kSum)) return {};
  PartHeader header;
  std::copy_n(bytes.begin() + 8, header.which.size(), header.which.begin());
  header.number = static_cast<std::uint32_t>(Get(bytes, 24, 4));
  header.count = static_cast<std::uint32_t>(Get(bytes, 28, 4));
  header.offset = Get(bytes, 32, 8);
  header.length = Get(bytes, 40, 8);
  header.total = Get(bytes, 48, 8);
  const bool sane = header.number >= 1 && header.number <= header.count && header.count <= kMostParts &&
                    header.total <= std::uint64_t{1} << 44 && header.length <= header.total &&
                    header.offset <= header.total - header.length;
  if (!sane) return {};
  return header;
}

}  // namespace ote::bundle
