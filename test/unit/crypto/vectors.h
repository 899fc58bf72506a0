// Reads the files of test/vectors.
#pragma once

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <string>

#include "core/base/bytes.h"
#include "core/base/codec.h"
#include "core/base/files.h"

namespace ote::crypto {

inline Json Vectors(const std::string& name) {
  const auto text = ReadTextFile(std::string(OTE_SOURCE_DIR "/test/vectors/") + name);
  REQUIRE(text);
  return Json::parse(*text);
}
inline Bytes Hex(const Json& value) {
  auto bytes = HexDecode(value.get<std::string>());
  REQUIRE(bytes);
  return *bytes;
}
inline Bytes Base64(const Json& value) {
  auto bytes = Base64UrlDecode(value.get<std::string>());
  REQUIRE(bytes);
  return *bytes;
}
inline std::array<std::uint8_t, 32> Hex32(const Json& value) {
  const Bytes bytes = Hex(value);
  REQUIRE(bytes.size() == 32);
  std::array<std::uint8_t, 32> array{};
  std::copy(bytes.begin(), bytes.end(), array.begin());
  return array;
}
// "ok" or the name of the error, as the vectors spell it.
template <class T>
std::string Outcome(const Result<T>& result) {
  return result ? "ok" : std::string(InfoOf(result.error().id).name);
}

}  // namespace ote::crypto
