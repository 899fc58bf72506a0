#include "crypto/digest.h"

#include <fmt/format.h>
#include <sodium.h>

#include <utility>

#include "crypto/require.h"
#include "crypto/secret.h"

namespace ote::crypto {
namespace {

constexpr std::string_view kPrefix = "blake2b:";

}  // namespace

std::string Digest::Hex() const { return HexEncode(bytes); }

std::string Digest::ToString() const { return std::string(kPrefix) + Hex(); }

Result<Digest> Digest::Parse(std::string_view text) {
  Digest digest;
  if (text.starts_with(kPrefix) && text.size() == kPrefix.size() + 2 * digest.bytes.size()) {
    if (auto bytes = HexDecode(text.substr(kPrefix.size()))) {
      std::copy(bytes->begin(), bytes->end(), digest.bytes.begin());
      return digest;
    }
  }
  return Fail(ErrorId::kMalformed, "a digest is \"blake2b:\" and 64 lower-case hex digits");
}

Digest DigestOf(ByteView bytes) {
  Init();
  Digest digest;
  crypto_generichash(digest.bytes.data(), digest.bytes.size(), bytes.data(), bytes.size(), nullptr, 0);
  return digest;
}

struct Hasher::State {
  crypto_generichash_state blake;
};

Hasher::Hasher() : state_(std::make_unique<State>()) {
  Init();
  crypto_generichash_init(&state_->blake, nullptr, 0, 32);
}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::Update(ByteView bytes) {
  Require(state_ != nullptr, "a hasher is used after its end");
  crypto_generichash_update(&state_->blake, bytes.data(), bytes.size());
}

Digest Hasher::Finish() {
  Require(state_ != nullptr, "a hasher is used after its end");
  Digest digest;
  crypto_generichash_final(&state_->blake, digest.bytes.data(), digest.bytes.size());
  state_.reset();
  return digest;
}

}  // namespace ote::crypto
