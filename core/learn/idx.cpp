#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "core/learn/elements.h"
#include "core/learn/formats.h"

namespace ote::learn {
namespace {

template <class T>
Result<std::vector<float>> ReadBigEndian(ByteView data, std::string_view name, NotThere missing) {
  return ReadElements<T, std::endian::big>(data, ErrorId::kDataBadFormat, name, missing);
}

Result<std::vector<float>> ReadValues(std::uint8_t type, ByteView data, std::string_view name, NotThere missing) {
  switch (type) {
    case 0x08:
      return ReadBigEndian<std::uint8_t>(data, name, missing);
    case 0x09:
      return ReadBigEndian<std::int8_t>(data, name, missing);
    case 0x0b:
      return ReadBigEndian<std::int16_t>(data, name, missing);
    case 0x0c:
      return ReadBigEndian<std::int32_t>(data, name, missing);
    case 0x0d:
      return ReadBigEndian<float>(data, name, missing);
    default:
      return ReadBigEndian<double>(data, name, missing);
  }
}

std::uint64_t SizeOfType(std::uint8_t type) noexcept {
  switch (type) {
    case 0x08:
    case 0x09:
      return 1;
    case 0x0b:
      return 2;
    case 0x0c:
    case 0x0d:
      return 4;
    case 0x0e:
      return 8;
    default:
      return 0;
  }
}

}  // namespace

Result<Array> ParseIdx(ByteView bytes, std::string_view name, NotThere missing) {
  const auto refuse = [&](std::string_view why) {
    return Fail(ErrorId::kDataBadFormat, fmt::format("{}: idx: {}", name, why));
  };
  if (bytes.size() < 4 || bytes[0] != 0 || bytes[1] != 0) return refuse("it does not begin with two zero bytes");
  const std::uint64_t size = SizeOfType(bytes[2]);
  if (size == 0) return refuse(fmt::format("unknown type {:#04x}", bytes[2]));
  const std::size_t dimensions = bytes[3];
  if (dimensions == 0) return refuse("no dimensions");
  if (bytes.size() < 4 + 4 * dimensions) return refuse("it ends inside its header");
  Array array;
  std::uint64_t expected = size;
  for (std::size_t i = 0; i < dimensions; ++i) {
    const std::uint32_t extent = LoadElement<std::uint32_t, std::endian::big>(bytes.data() + 4 + 4 * i);
    if (__builtin_mul_overflow(expected, std::uint64_t{extent}, &expected))
      return refuse("its extents are out of range");
    array.shape.push_back(extent);
  }
  const ByteView data = bytes.subspan(4 + 4 * dimensions);
  if (data.size() != expected) {
    return refuse(fmt::format("{} bytes of data where its header promises {}", data.size(), expected));
  }
  OTE_TRY(array.values, ReadValues(bytes[2], data, name, missing));
  return array;
}

}  // namespace ote::learn
