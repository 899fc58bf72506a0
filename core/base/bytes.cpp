#include "core/base/bytes.h"

#include <fmt/format.h>

#include <array>

namespace ote {
namespace {

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kForeign = 0xff;

constexpr std::array<std::uint8_t, 256> kBase64Values = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(kForeign);
  for (std::size_t i = 0; i < kBase64.size(); ++i) {
    values[static_cast<std::uint8_t>(kBase64[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}();

std::uint8_t HexValue(char c) noexcept {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  return kForeign;
}

}  // namespace

ByteView AsBytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string_view AsText(ByteView bytes) noexcept { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

bool IsUtf8(std::string_view text) noexcept {
  const ByteView b = AsBytes(text);
  std::size_t i = 0;
  while (i < b.size()) {
    const std::uint8_t lead = b[i];
    if (lead < 0x80) {
      ++i;
      continue;
    }
    // The table of well-formed sequences in RFC 3629 section 4: only the second byte's range depends on the first.
    std::size_t more = 0;
    std::uint8_t low = 0x80;
    std::uint8_t high = 0xbf;
    if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    } else {
      return false;
    }
    if (b.size() - i <= more) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      if (b[i + k] < low || b[i + k] > high) return false;
      low = 0x80;
      high = 0xbf;
    }
    i += more + 1;
  }
  return true;
}

std::string HexEncode(ByteView bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

Result<Bytes> HexDecode(std::string_view text) {
  if (text.size() % 2 != 0) return Fail(ErrorId::kMalformed, "hex text: its length is odd");
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const std::uint8_t high = HexValue(text[i]);
    const std::uint8_t low = HexValue(text[i + 1]);
    if (high == kForeign || low == kForeign) {
      return Fail(ErrorId::kMalformed,
                  fmt::format("hex text: character {} is not one of 0-9 and a-f", (high == kForeign ? i : i + 1) + 1));
    }
    bytes.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return bytes;
}

std::string Base64UrlEncode(ByteView bytes) {
  std::string text;
  text.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const std::uint8_t byte : bytes) {
    held = (held << 8 | byte) & 0xffff;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text.push_back(kBase64[held >> bits & 63]);
    }
  }
  if (bits > 0) text.push_back(kBase64[held << (6 - bits) & 63]);
  return text;
}

Result<Bytes> Base64UrlDecode(std::string_view text) {
  if (text.size() % 4 == 1) return Fail(ErrorId::kMalformed, "base64url text: it is cut short");
  Bytes bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::uint8_t value = kBase64Values[static_cast<std::uint8_t>(text[i])];
    if (value == kForeign) {
      return Fail(ErrorId::kMalformed,
                  fmt::format("base64url text: character {} is not one of A-Z, a-z, 0-9, - and _", i + 1));
    }
    held = (held << 6 | value) & 0x3fff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<std::uint8_t>(held >> bits & 0xff));
    }
  }
  if ((held & ((1U << bits) - 1)) != 0) {
    return Fail(ErrorId::kMalformed, "base64url text: its last character has bits that belong to no byte");
  }
  return bytes;
}

}  // namespace ote
