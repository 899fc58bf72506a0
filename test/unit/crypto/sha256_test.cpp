// SHA-256 against FIPS 180-4's examples.
#include "crypto/sha256.h"

#include <catch2/catch.hpp>

TEST_CASE("SHA-256 gives the digests of its standard") {
  const auto hex = [](std::string_view text) { return ote::HexEncode(ote::crypto::Sha256(ote::AsBytes(text))); };
  CHECK(hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
