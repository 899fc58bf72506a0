// The 64 bytes in front of a part, see parts.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/base/bytes.h"
#include "core/bundle/parts.h"

namespace ote::bundle {

struct PartHeader {
  std::array<std::uint8_t, 16> which{};
  std::uint32_t number = 0;  // from 1
  std::uint32_t count = 0;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::uint64_t total = 0;
};

std::array<std::uint8_t, kPartHeader> Encode(const PartHeader& header);
// Nothing when it is none, or damaged.
std::optional<PartHeader> DecodePartHeader(ByteView bytes);

}  // namespace ote::bundle
