// fuzz-link: ote_crypto
// Revocation lists: no crash over any bytes, signed or not; an accepted list is sorted and finds each of its serials.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "crypto/certificate.h"

namespace {

using namespace ote::crypto;

const SigningKey& Authority() {
  static const SigningKey key = [] {
    ote::Bytes seed(32);
    for (std::size_t i = 0; i < seed.size(); ++i) seed[i] = static_cast<std::uint8_t>(i);
    return std::move(*SigningKey::FromSeed(seed));
  }();
  return key;
}

void Require(bool holds) {
  if (!holds) std::abort();
}

void Check(const RevocationList& list) {
  const auto body = CheckRevocationList(list, Authority().Public(), 3);
  if (!body) {
    Require(body.error().id == ote::ErrorId::kSignatureInvalid || body.error().id == ote::ErrorId::kConflict);
    return;
  }
  Require(body->number >= 3);
  Require(std::ranges::all_of(body->serials, [&](ote::BigId serial) { return body->Contains(serial); }));
  const auto again = CheckRevocationList(IssueRevocationList(Authority(), *body), Authority().Public(), body->number);
  Require(again && again->serials == body->serials);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ote::ByteView input{data, size};
  if (const auto list = ote::FromCbor<RevocationList>(input)) Check(*list);

  RevocationList list;
  list.body.assign(input.begin(), input.end());
  const Signature signature = Authority().Sign("ote-revocations-v1", input);
  list.signature.assign(signature.begin(), signature.end());
  Check(list);
  return 0;
}
