// Byte strings and their spellings in text.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace ote {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

// The bytes of `text`, which must outlive the view.
ByteView AsBytes(std::string_view text) noexcept;
// The characters of `bytes`, which must outlive the view.
std::string_view AsText(ByteView bytes) noexcept;

// Whether `text` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool IsUtf8(std::string_view text) noexcept;

std::string HexEncode(ByteView bytes);
// Takes lower-case hex of even length; kMalformed otherwise.
Result<Bytes> HexDecode(std::string_view text);

// RFC 4648 section 5, no padding. Decoding refuses padding, foreign characters and non-zero trailing bits, so that
// every byte string has exactly one spelling.
std::string Base64UrlEncode(ByteView bytes);
Result<Bytes> Base64UrlDecode(std::string_view text);

}  // namespace ote
