#include "crypto/random_stream.h"

#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <string>

#include "crypto/digest.h"
#include "crypto/require.h"
#include "crypto/secret.h"

namespace ote::crypto {
namespace {

constexpr std::size_t kBlock = 4096;
constexpr std::size_t kKey = 32;
constexpr std::uint64_t kBlocksOfANonce = (std::uint64_t{1} << 32) * 64 / kBlock;
constexpr std::array<std::uint8_t, kBlock> kZeros{};

}  // namespace

struct RandomStream::State {
  std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> cipher{EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free};
  SecretBytes key;
  std::array<std::uint8_t, kBlock> block{};
  std::size_t used = kBlock;
  std::uint64_t blocks = 0;

  ~State() { Wipe(block); }

  void Begin(std::uint64_t nonce) {
    std::array<std::uint8_t, 16> iv{};  // the counter of blocks in the first four bytes, then the nonce
    std::memcpy(iv.data() + 8, &nonce, sizeof nonce);
    Require(EVP_EncryptInit_ex(cipher.get(), EVP_chacha20(), nullptr, key.View().data(), iv.data()) == 1,
            "libcrypto has no ChaCha20");
  }
  void Fill() {
    if (blocks % kBlocksOfANonce == 0) Begin(blocks / kBlocksOfANonce);
    int written = 0;
    Require(EVP_EncryptUpdate(cipher.get(), block.data(), &written, kZeros.data(), static_cast<int>(kBlock)) == 1,
            "ChaCha20 gave nothing");
    ++blocks;
    used = 0;
  }
};

RandomStream::RandomStream(ByteView secret, std::string_view context) : state_(std::make_unique<State>()) {
  Require(state_->cipher != nullptr, "no memory for a cipher");
  const Digest about = DigestOf(AsBytes(context));
  SecretBytes both(secret.size() + about.bytes.size());
  std::copy(secret.begin(), secret.end(), both.Mutable().begin());
  std::copy(about.bytes.begin(), about.bytes.end(),
            both.Mutable().begin() + static_cast<std::ptrdiff_t>(secret.size()));
  state_->key = DeriveKey(both.View(), "ote-random-v1");
  static_assert(kKey == 32);
}
RandomStream::~RandomStream() = default;
RandomStream::RandomStream(RandomStream&&) noexcept = default;
RandomStream& RandomStream::operator=(RandomStream&&) noexcept = default;

RandomStream RandomStream::Fresh() {
  const SecretBytes secret = SecretBytes::Random(kKey);
  return RandomStream(secret.View(), "fresh");
}

std::uint64_t RandomStream::Next() {
  if (state_->used == kBlock) state_->Fill();
  std::uint64_t value = 0;
  std::memcpy(&value, state_->block.data() + state_->used, sizeof value);
  state_->used += sizeof value;
  return value;
}

std::uint64_t RandomStream::Below(std::uint64_t bound) {
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(Next()) * bound;
  auto low = static_cast<std::uint64_t>(product);
  if (low < bound) {
    const std::uint64_t least = (0 - bound) % bound;
    while (low < least) {
      product = static_cast<Wide>(Next()) * bound;
      low = static_cast<std::uint64_t>(product);
    }
  }
  return static_cast<std::uint64_t>(product >> 64);
}

}  // namespace ote::crypto
