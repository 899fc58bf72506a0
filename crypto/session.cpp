#include "crypto/session.h"

#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>

#include "crypto/digest.h"
#include "crypto/require.h"
#include "crypto/secret.h"

namespace ote::crypto {
namespace {

constexpr std::size_t kNonce = 12;

// One direction of a session: ChaCha20-Poly1305 and the number of the next piece.
class Counted {
 public:
  Counted(ByteView key, std::uint64_t pieces, int seal)
      : context_(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free), pieces_(pieces), seal_(seal) {
    Require(key.size() == 32, "a session key has 32 bytes");
    Require(context_ != nullptr, "no memory for a cipher");
    Require(EVP_CipherInit_ex(context_.get(), EVP_chacha20_poly1305(), nullptr, key.data(), nullptr, seal) == 1,
            "libcrypto has no ChaCha20-Poly1305");
  }

  bool UsedUp() const noexcept { return next_ >= pieces_; }
  void Step() noexcept {
    begun_ = false;
    ++next_;
  }
  void Also(ByteView about) {
    Begin();
    int written = 0;
    Require(about.empty() ||
                EVP_CipherUpdate(context_.get(), nullptr, &written, about.data(), static_cast<int>(about.size())) == 1,
            "what is bound to a piece was not taken");
  }
  void Run(ByteView in, std::uint8_t* out) {
    Begin();
    int written = 0;
    Require(in.empty() || EVP_CipherUpdate(context_.get(), out, &written, in.data(), static_cast<int>(in.size())) == 1,
            "a piece was not taken");
  }
  SessionTag Tag() {
    Require(Final(), "a piece was not sealed");
    SessionTag tag{};
    Require(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kSessionTag, tag.data()) == 1,
            "no tag of a piece");
    return tag;
  }
  bool Holds(ByteView tag) {
    Begin();
    if (tag.size() != kSessionTag) return Fails();
    SessionTag copy{};
    std::copy(tag.begin(), tag.end(), copy.begin());
    Require(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kSessionTag, copy.data()) == 1,
            "a tag was not taken");
    return Final() || Fails();
  }

 private:
  void Begin() {
    if (begun_) return;
    std::array<std::uint8_t, kNonce> nonce{};  // four zero bytes and the number, little-endian
    for (std::size_t i = 0; i < 8; ++i) nonce.at(4 + i) = static_cast<std::uint8_t>(next_ >> (8 * i));
    Require(EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, nonce.data(), seal_) == 1,
            "a nonce was not taken");
    begun_ = true;
  }
  bool Final() {
    int written = 0;
    std::array<std::uint8_t, 16> rest{};
    return EVP_CipherFinal_ex(context_.get(), rest.data(), &written) == 1;
  }
  bool Fails() noexcept {
    begun_ = false;  // the same number again
    return false;
  }

  std::unique_ptr<EVP_CIPHER_CTX, void (*)(EVP_CIPHER_CTX*)> context_;
  std::uint64_t next_ = 0;
  std::uint64_t pieces_;
  int seal_;
  bool begun_ = false;
};

tl::unexpected<Error> UsedUp() { return Fail(ErrorId::kSessionUsedUp, "session: its key has protected enough pieces"); }

}  // namespace

struct SessionSealer::State : Counted {
  State(ByteView key, std::uint64_t pieces) : Counted(key, pieces, 1) {}
};
struct SessionOpener::State : Counted {
  State(ByteView key, std::uint64_t pieces) : Counted(key, pieces, 0) {}
};

SessionSealer::SessionSealer(ByteView key, std::uint64_t pieces) : state_(std::make_unique<State>(key, pieces)) {}
SessionSealer::SessionSealer(SessionSealer&&) noexcept = default;
SessionSealer& SessionSealer::operator=(SessionSealer&&) noexcept = default;
SessionSealer::~SessionSealer() = default;

Result<SessionTag> SessionSealer::Seal(ByteView about, ByteView plain, std::span<std::uint8_t> out) {
  Require(out.size() == plain.size(), "no room for a sealed piece");
  if (state_->UsedUp()) return UsedUp();
  state_->Also(about);
  state_->Run(plain, out.data());
  const SessionTag tag = state_->Tag();
  state_->Step();
  return tag;
}

SessionOpener::SessionOpener(ByteView key, std::uint64_t pieces) : state_(std::make_unique<State>(key, pieces)) {}
SessionOpener::SessionOpener(SessionOpener&&) noexcept = default;
SessionOpener& SessionOpener::operator=(SessionOpener&&) noexcept = default;
SessionOpener::~SessionOpener() = default;

void SessionOpener::Also(ByteView about) { state_->Also(about); }
void SessionOpener::Open(std::span<std::uint8_t> part) { state_->Run(part, part.data()); }

Result<void> SessionOpener::Check(ByteView tag) {
  if (!state_->Holds(tag)) return Fail(ErrorId::kSessionBroken, "session: not the next piece, or an altered one");
  if (state_->UsedUp()) return UsedUp();
  state_->Step();
  return {};
}

Result<Session> SessionOffer::Agree(const TransportPublic& other, SessionSide side, ByteView about,
                                    std::uint64_t pieces) const {
  SecretBytes shared(crypto_scalarmult_BYTES);
  if (crypto_scalarmult(shared.Mutable().data(), key_.Secret().data(), other.bytes.data()) != 0) {
    return Fail(ErrorId::kSessionBroken, "session: the other side's key is none that a secret can be made with");
  }
  const bool calls = side == SessionSide::kCaller;
  const Digest use = DigestOf(about);
  const std::array<ByteView, 4> parts{shared.View(), calls ? Public().bytes : other.bytes,
                                      calls ? other.bytes : Public().bytes, use.bytes};
  SecretBytes all(shared.size() + 2 * other.bytes.size() + use.bytes.size());
  auto at = all.Mutable().begin();
  for (const ByteView part : parts) at = std::copy(part.begin(), part.end(), at);
  const SecretBytes up = DeriveKey(all.View(), "ote-session-up");
  const SecretBytes down = DeriveKey(all.View(), "ote-session-down");
  return Session{SessionSealer((calls ? up : down).View(), pieces), SessionOpener((calls ? down : up).View(), pieces)};
}

}  // namespace ote::crypto
