// A session: two who know each other already agree on fresh keys, one for each direction, and protect what they send
// piece by piece.
//
// Pieces are ChaCha20-Poly1305 (RFC 8439) with the number of the piece as nonce. The number does not travel: both sides
// count, so that a piece that is repeated, left out, moved or taken from another session or direction is refused as an
// altered one is. A piece has bytes that are encrypted, and bytes before them that are bound to it and stay as they
// are.
//
// The keys come from X25519 between keys that are made for this session and wiped with it: what was recorded cannot be
// read later. Who the other side is, the agreement does not say: the public halves must travel over a line that proves
// it. A Session is for one thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "crypto/keys.h"

namespace ote::crypto {

inline constexpr std::size_t kSessionTag = 16;
// Pieces that one key protects. Far below what the cipher bears; then the two agree anew.
inline constexpr std::uint64_t kSessionPieces = 1ULL << 32;
using SessionTag = std::array<std::uint8_t, kSessionTag>;

class SessionSealer {
 public:
  // `key` has 32 bytes and is used for this alone.
  explicit SessionSealer(ByteView key, std::uint64_t pieces = kSessionPieces);
  SessionSealer(SessionSealer&&) noexcept;
  SessionSealer& operator=(SessionSealer&&) noexcept;
  ~SessionSealer();

  // Protects the next piece: encrypts `plain` to `out`, which is as long and may be the same memory, and binds `about`.
  // kSessionUsedUp, with nothing sealed, when the key has done its share.
  Result<SessionTag> Seal(ByteView about, ByteView plain, std::span<std::uint8_t> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Takes a piece as it arrives: Also for what is bound, then Open for what is encrypted, then Check.
class SessionOpener {
 public:
  explicit SessionOpener(ByteView key, std::uint64_t pieces = kSessionPieces);
  SessionOpener(SessionOpener&&) noexcept;
  SessionOpener& operator=(SessionOpener&&) noexcept;
  ~SessionOpener();

  void Also(ByteView about);
  // In place. Must not be used before Check has said that it is genuine.
  void Open(std::span<std::uint8_t> part);
  // Ends the piece. kSessionBroken when it is not the next one of this session, which is expected still;
  // kSessionUsedUp.
  Result<void> Check(ByteView tag);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct Session {
  SessionSealer sealer;
  SessionOpener opener;
};

enum class SessionSide { kCaller, kListener };

// One side's half of an agreement.
class SessionOffer {
 public:
  static SessionOffer Make() { return SessionOffer(TransportKey::Generate()); }
  const TransportPublic& Public() const noexcept { return key_.Public(); }
  // The session with the one who holds `other`; both must name the same `about`. kSessionBroken when `other` is a point
  // of small order.
  Result<Session> Agree(const TransportPublic& other, SessionSide side, ByteView about,
                        std::uint64_t pieces = kSessionPieces) const;

 private:
  explicit SessionOffer(TransportKey key) : key_(std::move(key)) {}
  TransportKey key_;
};

}  // namespace ote::crypto
