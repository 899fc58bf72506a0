#include "core/base/bytes.h"

#include <catch2/catch.hpp>

using ote::AsBytes;
using ote::Bytes;

TEST_CASE("hex is written in lower case and read only so") {
  CHECK(ote::HexEncode(Bytes{0x00, 0xff, 0x1a}) == "00ff1a");
  CHECK(ote::HexDecode("00ff1a").value() == Bytes{0x00, 0xff, 0x1a});
  CHECK(ote::HexDecode("").value().empty());
  for (const char* wrong : {"0", "0g", "FF", "0x", " 0", "é"}) {
    INFO(wrong);
    CHECK(ote::HexDecode(wrong).error().id == ote::ErrorId::kMalformed);
  }
  CHECK(ote::HexDecode("00zz").error().message == "hex text: character 3 is not one of 0-9 and a-f");
}

TEST_CASE("base64url follows the vectors of RFC 4648 without padding") {
  const std::pair<const char*, const char*> vectors[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : vectors) {
    CHECK(ote::Base64UrlEncode(AsBytes(plain)) == coded);
    CHECK(ote::AsText(ote::Base64UrlDecode(coded).value()) == plain);
  }
  CHECK(ote::Base64UrlEncode(Bytes{0xfb, 0xff, 0xfe}) == "-__-");
}

TEST_CASE("a byte string has one base64url spelling only") {
  // Padding, the other alphabet, white space, a lone character, bits left over.
  for (const char* wrong : {"Zg==", "+/8", "Zg\n", "Z", "Zh", "Zm9", "Zm9vYm"}) {
    INFO(wrong);
    const auto decoded = ote::Base64UrlDecode(wrong);
    if (std::string_view(wrong) == "Zm9vYm") {
      CHECK_FALSE(decoded.has_value());
    } else if (!decoded) {
      CHECK(decoded.error().id == ote::ErrorId::kMalformed);
    } else {
      CHECK(ote::Base64UrlEncode(*decoded) == wrong);
    }
  }
  CHECK_FALSE(ote::Base64UrlDecode("Zh").has_value());
  CHECK_FALSE(ote::Base64UrlDecode("Zg==").has_value());
  CHECK_FALSE(ote::Base64UrlDecode("Z").has_value());
}

TEST_CASE("bytes come back from both spellings, at every length") {
  Bytes bytes;
  for (int i = 0; i < 260; ++i) {
    CHECK(ote::HexDecode(ote::HexEncode(bytes)).value() == bytes);
    CHECK(ote::Base64UrlDecode(ote::Base64UrlEncode(bytes)).value() == bytes);
    bytes.push_back(static_cast<std::uint8_t>(i * 37 + 11));
  }
}

TEST_CASE("UTF-8 is told from what only resembles it") {
  CHECK(ote::IsUtf8("plain, é, €, 𝄞, \xf4\x8f\xbf\xbf"));
  for (const char* wrong : {"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                            "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "a\xffz"}) {
    CHECK_FALSE(ote::IsUtf8(wrong));
  }
}
