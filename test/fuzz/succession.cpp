// fuzz-link: ote_crypto
// Chains of succession: no crash over any bytes, signed or not, and no authority is reached that was not accepted.
#include "crypto/succession.h"

#include <cstdint>
#include <cstdlib>

namespace {

using namespace ote::crypto;

SigningKey KeyOf(std::uint8_t byte) { return std::move(*SigningKey::FromSeed(ote::Bytes(32, byte))); }

const SigningKey& From() {
  static const SigningKey key = KeyOf(1);
  return key;
}
const SigningKey& To() {
  static const SigningKey key = KeyOf(2);
  return key;
}

void Require(bool holds) {
  if (!holds) std::abort();
}

struct Chain {
  std::vector<Succession> links;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("links", self.links);
  }
};

void Check(const std::vector<Succession>& chain) {
  const auto end = FollowSuccession(chain, FingerprintOf(From().Public()));
  if (end) {
    // Only one key in the world has signed as the successor here.
    Require(*end == To().Public() || *end == From().Public());
  } else {
    Require(end.error().id == ote::ErrorId::kSuccessionInvalid);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ote::ByteView input{data, size};
  if (const auto chain = ote::FromCbor<Chain>(input)) Check(chain->links);

  // The input as a body that both did sign, so that what stands behind the signatures is reached.
  Succession link;
  link.body.assign(input.begin(), input.end());
  const auto signature = From().Sign("ote-succession-v1", input);
  link.signature.assign(signature.begin(), signature.end());
  const auto accepted = To().Sign("ote-succession-accept-v1", input);
  link.accepted.assign(accepted.begin(), accepted.end());
  Check({link});
  Check({IssueSuccession(From(), To(), 1, 0), link});
  return 0;
}
