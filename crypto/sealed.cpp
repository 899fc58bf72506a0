#include "crypto/sealed.h"

#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "crypto/require.h"
#include "crypto/secret.h"

namespace ote::crypto {
namespace {

constexpr std::string_view kMagic = "OTESEAL1";
constexpr std::size_t kPrefix = 16;
constexpr std::size_t kNonce = 12;  // of the inner ChaCha20-Poly1305
constexpr std::size_t kLastByte = kNonce - 1;
static_assert(kMagic.size() + crypto_scalarmult_BYTES + kPrefix == kSealedHeader);

using Key32 = std::array<std::uint8_t, 32>;

Error Broken(std::string what) { return Error{ErrorId::kSealBroken, std::move(what), {}}; }

// XChaCha20-Poly1305 is ChaCha20-Poly1305 (RFC 8439) under a key that HChaCha20 makes of the first 16 nonce bytes.
// Those are the same for all chunks of a stream, so that it is made once; libcrypto does the rest twice as fast as
// libsodium.
class Aead {
 public:
  Aead(ByteView key, ByteView prefix) : context_(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free) {
    Require(context_ != nullptr, "no memory for a cipher");
    SecretBytes sub(crypto_core_hchacha20_OUTPUTBYTES);
    crypto_core_hchacha20(sub.Mutable().data(), prefix.data(), key.data(), nullptr);
    Require(EVP_CipherInit_ex(context_.get(), EVP_chacha20_poly1305(), nullptr, sub.View().data(), nullptr, 1) == 1,
            "libcrypto has no ChaCha20-Poly1305");
  }

  void Seal(std::uint64_t index, bool last, ByteView plain, std::uint8_t* out) {
    Begin(index, last, 1);
    Run(plain, out);
    Require(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kSealedTag, out + plain.size()) == 1,
            "no tag of a sealed chunk");
  }

  // Whether the tag holds; what was written to `out` must not be used when not.
  bool Open(std::uint64_t index, bool last, ByteView sealed, std::uint8_t* out) {
    const std::size_t size = sealed.size() - kSealedTag;
    std::array<std::uint8_t, kSealedTag> tag{};
    std::copy_n(sealed.data() + size, kSealedTag, tag.data());
    Begin(index, last, 0);
    Require(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kSealedTag, tag.data()) == 1,
            "a tag was not taken");
    Require(RunUpdate({sealed.data(), size}, out), "a chunk was not opened");
    int written = 0;
    std::array<std::uint8_t, 16> rest{};
    return EVP_CipherFinal_ex(context_.get(), rest.data(), &written) == 1;
  }

 private:
  void Begin(std::uint64_t index, bool last, int seal) {
    std::array<std::uint8_t, kNonce> nonce{};  // four zero bytes, the counter in seven, little-endian, and `last`
    for (std::size_t i = 0; i < 7; ++i) nonce.at(4 + i) = static_cast<std::uint8_t>(index >> (8 * i));
    nonce[kLastByte] = last ? 1 : 0;
    Require(EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, nonce.data(), seal) == 1,
            "a nonce was not taken");
  }
  bool RunUpdate(ByteView in, std::uint8_t* out) {
    int written = 0;
    return in.empty() || EVP_CipherUpdate(context_.get(), out, &written, in.data(), static_cast<int>(in.size())) == 1;
  }
  void Run(ByteView in, std::uint8_t* out) {
    int written = 0;
    std::array<std::uint8_t, 16> rest{};
    Require(RunUpdate(in, out) && EVP_CipherFinal_ex(context_.get(), rest.data(), &written) == 1,
            "a chunk was not sealed");
  }

  std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> context_;
};

void Append(SecretBytes& into, std::size_t& at, ByteView bytes) {
  std::copy(bytes.begin(), bytes.end(), into.Mutable().begin() + static_cast<std::ptrdiff_t>(at));
  at += bytes.size();
}

// The key of one stream: bound to everything that both sides must agree on.
SecretBytes StreamKey(ByteView shared, ByteView sender, ByteView receiver, ByteView context) {
  const Digest about = DigestOf(context);
  SecretBytes all(shared.size() + sender.size() + receiver.size() + about.bytes.size());
  std::size_t at = 0;
  for (const ByteView part : {shared, sender, receiver, ByteView(about.bytes)}) Append(all, at, part);
  return DeriveKey(all.View(), "ote-seal-v1");
}

Result<SecretBytes> Agree(ByteView secret, ByteView other) {
  SecretBytes shared(crypto_scalarmult_BYTES);
  if (crypto_scalarmult(shared.Mutable().data(), secret.data(), other.data()) != 0) {
    return Fail(Broken("the other side's key is none that a secret can be made with"));
  }
  return shared;
}

Bytes MakeHeader(ByteView sender, ByteView prefix) {
  Bytes header(kMagic.begin(), kMagic.end());
  header.insert(header.end(), sender.begin(), sender.end());
  header.insert(header.end(), prefix.begin(), prefix.end());
  return header;
}

Result<void> CheckHeader(ByteView header) {
  if (header.size() != kSealedHeader || !std::equal(kMagic.begin(), kMagic.end(), header.begin())) {
    return Fail(Broken("it is no sealed stream"));
  }
  return {};
}
ByteView SenderOf(ByteView header) { return header.subspan(kMagic.size(), crypto_scalarmult_BYTES); }
ByteView PrefixOf(ByteView header) { return header.subspan(kSealedHeader - kPrefix); }

constexpr Key32 kShared{};  // in the place of a sender, where the key is one that both sides have

}  // namespace

std::uint64_t SealedChunks(std::uint64_t plain) noexcept { return plain == 0 ? 1 : (plain - 1) / kSealedChunk + 1; }
std::uint64_t SealedSize(std::uint64_t plain) noexcept {
  return kSealedHeader + plain + SealedChunks(plain) * kSealedTag;
}
Result<std::uint64_t> PlainSize(std::uint64_t sealed) {
  if (sealed >= kSealedHeader + kSealedTag) {
    const std::uint64_t body = sealed - kSealedHeader;
    const std::uint64_t chunks = (body - 1) / (kSealedChunk + kSealedTag) + 1;
    if (body >= chunks * kSealedTag && SealedSize(body - chunks * kSealedTag) == sealed)
      return body - chunks * kSealedTag;
  }
  return Fail(Broken("it is shorter or longer than a sealed stream can be"));
}

bool LooksSealed(ByteView whole) noexcept {
  return whole.size() > kMagic.size() && std::equal(kMagic.begin(), kMagic.end(), whole.begin()) &&
         PlainSize(whole.size()).has_value();
}

struct Sealer::State {
  Bytes header;
  Aead aead;
  std::uint64_t next = 0;
  bool done = false;
};

Sealer::Sealer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sealer::Sealer(Sealer&&) noexcept = default;
Sealer& Sealer::operator=(Sealer&&) noexcept = default;
Sealer::~Sealer() = default;

namespace {

// The header of a stream from `sender`, and its key.
Result<std::pair<Bytes, SecretBytes>> Begin(const TransportKey& sender, ByteView prefix,
                                            const TransportPublic& receiver, ByteView context) {
  OTE_TRY(const auto shared, Agree(sender.Secret(), receiver.bytes));
  return std::pair{MakeHeader(sender.Public().bytes, prefix),
                   StreamKey(shared.View(), sender.Public().bytes, receiver.bytes, context)};
}

Key32 Random32() {
  Key32 bytes{};
  randombytes_buf(bytes.data(), bytes.size());
  return bytes;
}

}  // namespace

Result<Sealer> Sealer::To(const TransportPublic& receiver, ByteView context) {
  const Key32 prefix = Random32();
  OTE_TRY(auto begun, Begin(TransportKey::Generate(), ByteView(prefix).first(kPrefix), receiver, context));
  Aead aead(begun.second.View(), PrefixOf(begun.first));
  return Sealer(std::make_unique<State>(State{std::move(begun.first), std::move(aead)}));
}

Result<Sealer> Sealer::Repeatable(const TransportPublic& receiver, ByteView context, ByteView secret,
                                  const Digest& content) {
  Require(secret.size() == 32, "a repeatable seal needs 32 secret bytes");
  const auto seed = StreamKey(secret, content.bytes, receiver.bytes, context);
  OTE_TRY(const auto ephemeral, TransportKey::FromSecret(DeriveKey(seed.View(), "ote-seal-sender").View()));
  const auto prefix = DeriveKey(seed.View(), "ote-seal-prefix");
  OTE_TRY(auto begun, Begin(ephemeral, prefix.View().first(kPrefix), receiver, context));
  Aead aead(begun.second.View(), PrefixOf(begun.first));
  return Sealer(std::make_unique<State>(State{std::move(begun.first), std::move(aead)}));
}

Sealer Sealer::WithKey(ByteView key, ByteView context) {
  Require(key.size() == 32, "a sealed stream needs a key of 32 bytes");
  const Key32 prefix = Random32();
  Bytes header = MakeHeader(kShared, ByteView(prefix).first(kPrefix));
  Aead aead(StreamKey(key, kShared, kShared, context).View(), PrefixOf(header));
  return Sealer(std::make_unique<State>(State{std::move(header), std::move(aead)}));
}

ByteView Sealer::Header() const noexcept { return state_->header; }

void Sealer::Next(ByteView plain, bool last, std::span<std::uint8_t> out) {
  Require(!state_->done, "a sealed stream has ended");
  Require(plain.size() == kSealedChunk || (last && plain.size() < kSealedChunk), "a sealed chunk has the wrong size");
  Require(out.size() == plain.size() + kSealedTag, "no room for a sealed chunk");
  state_->aead.Seal(state_->next++, last, plain, out.data());
  state_->done = last;
}

struct Opener::State {
  Aead aead;
};

Opener::Opener(std::unique_ptr<State> state) : state_(std::move(state)) {}
Opener::Opener(Opener&&) noexcept = default;
Opener& Opener::operator=(Opener&&) noexcept = default;
Opener::~Opener() = default;

Result<SecretBytes> StreamKeyOf(const TransportKey& receiver, ByteView context, ByteView header) {
  OTE_CHECK(CheckHeader(header));
  OTE_TRY(const auto shared, Agree(receiver.Secret(), SenderOf(header)));
  return StreamKey(shared.View(), SenderOf(header), receiver.Public().bytes, context);
}

Result<Opener> Opener::For(const TransportKey& receiver, ByteView context, ByteView header) {
  OTE_TRY(const auto key, StreamKeyOf(receiver, context, header));
  return WithStreamKey(key.View(), header);
}

Result<Opener> Opener::WithStreamKey(ByteView key, ByteView header) {
  Require(key.size() == 32, "a sealed stream needs a key of 32 bytes");
  OTE_CHECK(CheckHeader(header));
  return Opener(std::make_unique<State>(State{Aead(key, PrefixOf(header))}));
}

Result<Opener> Opener::WithKey(ByteView key, ByteView context, ByteView header) {
  Require(key.size() == 32, "a sealed stream needs a key of 32 bytes");
  OTE_CHECK(CheckHeader(header));
  const auto sender = SenderOf(header);
  if (!std::equal(sender.begin(), sender.end(), kShared.begin())) {
    return Fail(Broken("it is sealed to a receiver, and not with a key that both have"));
  }
  return Opener(
      std::make_unique<State>(State{Aead(StreamKey(key, kShared, kShared, context).View(), PrefixOf(header))}));
}

Result<void> Opener::Open(std::uint64_t index, bool last, ByteView sealed, std::span<std::uint8_t> out) {
  const bool fits = sealed.size() == kSealedChunk + kSealedTag ||
                    (last && sealed.size() >= kSealedTag && sealed.size() < kSealedChunk + kSealedTag);
  if (!fits) return Fail(Broken("a chunk of it has the wrong size"));
  Require(out.size() == sealed.size() - kSealedTag, "no room for an opened chunk");
  if (!state_->aead.Open(index, last, sealed, out.data())) {
    Wipe(out);
    return Fail(Broken("it was altered, or sealed for another key or another use"));
  }
  return {};
}

Result<Bytes> Seal(const TransportPublic& receiver, ByteView context, ByteView plain) {
  OTE_TRY(auto sealer, Sealer::To(receiver, context));
  Bytes out(SealedSize(plain.size()));
  std::copy(sealer.Header().begin(), sealer.Header().end(), out.begin());
  std::span<std::uint8_t> rest = std::span(out).subspan(kSealedHeader);
  for (;;) {
    const std::size_t size = std::min(plain.size(), kSealedChunk);
    const bool last = size == plain.size();
    sealer.Next(plain.first(size), last, rest.first(size + kSealedTag));
    if (last) return out;
    plain = plain.subspan(size);
    rest = rest.subspan(size + kSealedTag);
  }
}

Result<Bytes> OpenSealed(const TransportKey& receiver, ByteView context, ByteView sealed) {
  OTE_TRY(const std::uint64_t size, PlainSize(sealed.size()));
  OTE_TRY(auto opener, Opener::For(receiver, context, sealed.first(kSealedHeader)));
  ByteView rest = sealed.subspan(kSealedHeader);
  Bytes out(size);
  std::span<std::uint8_t> into = out;
  for (std::uint64_t index = 0;; ++index) {
    const std::size_t chunk = std::min(into.size(), kSealedChunk);
    const bool last = chunk == into.size();
    OTE_CHECK(opener.Open(index, last, rest.first(chunk + kSealedTag), into.first(chunk)));
    if (last) return out;
    rest = rest.subspan(chunk + kSealedTag);
    into = into.subspan(chunk);
  }
}

}  // namespace ote::crypto
