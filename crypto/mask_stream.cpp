#include "crypto/mask_stream.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <bit>

#include "core/base/cpu.h"
#include "crypto/require.h"
#include "crypto/secret.h"

namespace ote::crypto {
namespace {

static_assert(std::endian::native == std::endian::little, "masks are little-endian, and so are the machines of ote");

// A part of a first-level cache.
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

namespace {

// Pieces of four streams, or longer ones of two, the values and the zeros fill a first-level cache of 32 KiB but for a
// quarter. Long pieces cost the cipher less, and many streams the sum.
constexpr std::size_t kWords = 4096;
constexpr std::size_t kMany = 16;
constexpr std::size_t kLine = 64 / sizeof(std::uint32_t);
using Pieces = std::array<std::uint32_t, kWords>;

// values += ±piece of each stream; -x is (x ^ ones) - ones.
template <std::size_t kStreams>
inline __attribute__((always_inline)) void LayLoop(std::uint32_t* __restrict values,
                                                   const std::uint32_t* __restrict pieces,
                                                   const std::uint32_t* __restrict signs, std::size_t count) noexcept {
  std::array<std::uint32_t, kStreams> sign;
  std::copy_n(signs, kStreams, sign.begin());
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t sum = values[i];
    for (std::size_t k = 0; k < kStreams; ++k) sum += (pieces[k * (kWords / kStreams) + i] ^ sign[k]) - sign[k];
    values[i] = sum;
  }
}

using Kernel = void (*)(std::uint32_t*, const std::uint32_t*, const std::uint32_t*, std::size_t) noexcept;
struct Kernels {
  Kernel one;
  Kernel two;
  Kernel four;
};

#define OTE_MASK_KERNELS(NAME, TARGET)                                                                  \
  template <std::size_t kStreams>                                                                       \
  TARGET void Lay##NAME(std::uint32_t* values, const std::uint32_t* pieces, const std::uint32_t* signs, \
                        std::size_t count) noexcept {                                                   \
    LayLoop<kStreams>(values, pieces, signs, count);                                                    \
  }                                                                                                     \
  constexpr Kernels k##NAME{&Lay##NAME<1>, &Lay##NAME<2>, &Lay##NAME<4>};

OTE_MASK_KERNELS(Generic, )
#if defined(__x86_64__)
OTE_MASK_KERNELS(Avx2, __attribute__((target("avx2"))))
OTE_MASK_KERNELS(Avx512, __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw"))))
#endif
#undef OTE_MASK_KERNELS

const Kernels& Choose() noexcept {
#if defined(__x86_64__)
  const Vectors best = BestVectors();
  if (best == Vectors::kAvx512) return kAvx512;
  if (best == Vectors::kAvx2) return kAvx2;
#endif
  return kGeneric;
}

std::span<std::uint8_t> BytesOf(std::span<std::uint32_t> words) noexcept {
  return {reinterpret_cast<std::uint8_t*>(words.data()), words.size_bytes()};
}

}  // namespace

void MaskLayer::Take(ByteView key, MaskSign sign) {
  streams_.emplace_back(key);
  signs_.push_back(sign == MaskSign::kAdd ? 0 : ~std::uint32_t{0});
}

void MaskLayer::Next(std::span<std::uint32_t> values) {
  static const Kernels& kernels = Choose();
  const std::size_t together = streams_.size() < kMany ? 2 : 4;
  const std::size_t longest = kWords / together;
  alignas(64) Pieces pieces;
  const auto make = [&](std::size_t stream, std::size_t place, std::size_t count) {
    streams_[stream].Next(BytesOf(std::span(pieces).subspan(place * longest, count)));
  };
  while (!values.empty()) {
    const auto block = values.first(std::min(values.size(), longest));
    // While the streams are made, the values of the block after the next one come from memory.
    for (std::size_t ahead = 2 * longest; ahead < std::min(values.size(), 3 * longest); ahead += kLine) {
      __builtin_prefetch(&values[ahead], 1);
    }
    std::size_t at = 0;
    for (; at + together <= streams_.size(); at += together) {
      for (std::size_t k = 0; k < together; ++k) make(at + k, k, block.size());
      (together == 2 ? kernels.two : kernels.four)(block.data(), pieces.data(), signs_.data() + at, block.size());
    }
    for (; at < streams_.size(); ++at) {
      make(at, 0, block.size());
      kernels.one(block.data(), pieces.data(), signs_.data() + at, block.size());
    }
    values = values.subspan(block.size());
  }
  Wipe(BytesOf(pieces));
}

void AddMask(ByteView key, MaskSign sign, std::span<std::uint32_t> values) {
  MaskLayer layer;
  layer.Take(key, sign);
  layer.Next(values);
}

}  // namespace ote::crypto
