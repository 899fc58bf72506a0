#include "crypto/mask_stream.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <bit>

#include "crypto/require.h"
#include "crypto/secret.h"

namespace ote::crypto {
namespace {

static_assert(std::endian::native == std::endian::little, "masks are little-endian, and so are the machines of ote");

// Half of a first-level cache: the stream is still there when it is added.
constexpr std::size_t kPiece = 16 << 10;

// What the stream is laid over to have it bare.
constexpr std::array<std::uint8_t, kPiece> kZeros{};

}  // namespace

struct KeyStream::State {
  std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> context{EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free};
};

KeyStream::KeyStream(ByteView key) : state_(std::make_unique<State>()) {
  Require(key.size() == 32, "a key stream needs a key of 32 bytes");
  const std::array<std::uint8_t, 16> start{};  // the counter, four bytes, and the nonce
  Require(state_->context != nullptr &&
              EVP_EncryptInit_ex(state_->context.get(), EVP_chacha20(), nullptr, key.data(), start.data()) == 1,
          "libcrypto has no ChaCha20");
}
KeyStream::KeyStream(KeyStream&&) noexcept = default;
KeyStream& KeyStream::operator=(KeyStream&&) noexcept = default;
KeyStream::~KeyStream() = default;

void KeyStream::Next(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const std::size_t size = std::min(out.size(), kPiece);
    int written = 0;
    Require(
        EVP_EncryptUpdate(state_->context.get(), out.data(), &written, kZeros.data(), static_cast<int>(size)) == 1 &&
            written == static_cast<int>(size),
        "a key stream broke off");
    out = out.subspan(size);
  }
}

void AddMask(ByteView key, MaskSign sign, std::span<std::uint32_t> values) {
  KeyStream stream(key);
  alignas(64) std::array<std::uint32_t, kPiece / sizeof(std::uint32_t)> piece;
  while (!values.empty()) {
    const std::size_t count = std::min(values.size(), piece.size());
    stream.Next({reinterpret_cast<std::uint8_t*>(piece.data()), count * sizeof(std::uint32_t)});
    if (sign == MaskSign::kAdd) {
      for (std::size_t i = 0; i < count; ++i) values[i] += piece[i];
    } else {
      for (std::size_t i = 0; i < count; ++i) values[i] -= piece[i];
    }
    values = values.subspan(count);
  }
  Wipe({reinterpret_cast<std::uint8_t*>(piece.data()), sizeof piece});
}

}  // namespace ote::crypto
