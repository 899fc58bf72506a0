// fuzz-link: ote_crypto
// Join tokens: no crash; what is accepted is spelled in one way only; and the form behind a checksum that fits is
// checked as well as the checksum.
#include "crypto/token.h"

#include <cstdint>
#include <cstdlib>

#include "crypto/digest.h"

namespace {

void Check(std::string_view text) {
  const auto token = ote::crypto::JoinToken::Parse(text);
  if (!token) {
    if (token.error().id != ote::ErrorId::kTokenMalformed) std::abort();
    return;
  }
  const auto again = token->Reveal();
  if (text.find(ote::AsText(again.View())) == std::string_view::npos) std::abort();
  if (!ote::crypto::CheckEndpoints(token->endpoints)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ote::ByteView input{data, size};
  Check(ote::AsText(input));

  // The input as the payload of a token whose checksum fits.
  const std::string start = "ote1.7k2m9q4x0d." + std::string(43, 'A') + ".";
  ote::crypto::Hasher hasher;
  hasher.Update(ote::AsBytes(start));
  hasher.Update(input);
  const auto digest = hasher.Finish();
  ote::Bytes pin(input.begin(), input.end());
  pin.insert(pin.end(), digest.bytes.begin(), digest.bytes.begin() + 8);
  Check(start + ote::Base64UrlEncode(pin));
  return 0;
}
