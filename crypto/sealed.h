// Sealed streams: bytes of any length that only the holder of one key can read, in chunks that are checked one by one.
//
// A stream is a header and chunks. Each chunk holds kSealedChunk plain bytes, the last one what is left (also nothing),
// and is followed by its tag. Chunks are XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) with the nonce
// prefix | counter | last, the STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizár 2015): a chunk that is left
// out, repeated, moved, taken from another stream, or a stream cut short at a chunk's end is refused. Every chunk can
// be opened by itself, in any order.
//
//   header   "OTESEAL1" | the sender's ephemeral X25519 key, 32 bytes, or zeros where the key is shared | prefix, 16
//   bytes chunk    ciphertext | tag, 16 bytes
//
// To a receiver: the key is derived from X25519(ephemeral, receiver), both public keys and the context, so that it is
// good for this pair and this use alone. It says nothing about who sealed: what has to be trusted is signed.
// `context` names the use ("ote-update-v1" and what the stream is bound to); a stream that is opened for another
// context is refused as an altered one is.
//
// Memory: nothing but a chunk. A Sealer and an Opener are for one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "crypto/digest.h"
#include "crypto/keys.h"
#include "crypto/secret.h"

namespace ote::crypto {

inline constexpr std::size_t kSealedChunk = 64 << 10;
inline constexpr std::size_t kSealedTag = 16;
inline constexpr std::size_t kSealedHeader = 8 + 32 + 16;

// Bytes of a stream for `plain` bytes, and chunks in it (at least one).
std::uint64_t SealedSize(std::uint64_t plain) noexcept;
std::uint64_t SealedChunks(std::uint64_t plain) noexcept;
// The other way; kSealBroken when no stream has this size.
Result<std::uint64_t> PlainSize(std::uint64_t sealed);
// Whether `whole` has the form of a sealed stream: its first bytes and its size. Whether it is one, only opening tells.
bool LooksSealed(ByteView whole) noexcept;

class Sealer {
 public:
  // With a fresh ephemeral key. kSealBroken when the receiver's key is a point of small order.
  static Result<Sealer> To(const TransportPublic& receiver, ByteView context);
  // The same bytes each time for the same `secret` (32 bytes, the sender's own), receiver, context and content:
  // `content` must be the digest of the very bytes that are sealed, since another content under the same digest would
  // lay both open.
  static Result<Sealer> Repeatable(const TransportPublic& receiver, ByteView context, ByteView secret,
                                   const Digest& content);
  // With a key that both sides have: 32 bytes, used for this one stream only.
  static Sealer WithKey(ByteView key, ByteView context);
  Sealer(Sealer&&) noexcept;
  Sealer& operator=(Sealer&&) noexcept;
  ~Sealer();

  // kSealedHeader bytes, before the first chunk.
  ByteView Header() const noexcept;
  // Seals the next chunk: `plain` has kSealedChunk bytes, or at most so many when it is the last. `out` has kSealedTag
  // more; it may begin where `plain` begins. Nothing may follow the last.
  void Next(ByteView plain, bool last, std::span<std::uint8_t> out);

 private:
  struct State;
  explicit Sealer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

class Opener {
 public:
  // kSealBroken when the header is none, or the sender's key is a point of small order.
  static Result<Opener> For(const TransportKey& receiver, ByteView context, ByteView header);
  static Result<Opener> WithKey(ByteView key, ByteView context, ByteView header);
  // With what StreamKeyOf gave: for the stream that begins with `header`.
  static Result<Opener> WithStreamKey(ByteView key, ByteView header);
  Opener(Opener&&) noexcept;
  Opener& operator=(Opener&&) noexcept;
  ~Opener();

  // Opens chunk `index` (from 0) of a stream, `sealed` with its tag, `last` when the stream ends with it. `out` has
  // kSealedTag less; it may begin where `sealed` begins. kSealBroken, with nothing in `out`, when it is not that chunk.
  Result<void> Open(std::uint64_t index, bool last, ByteView sealed, std::span<std::uint8_t> out);

 private:
  struct State;
  explicit Opener(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The key of the one stream that begins with `header`, for somebody else whom the receiver lets open it: it opens no
// other stream, neither of another sender nor for another use. kSealBroken as Opener::For says.
Result<SecretBytes> StreamKeyOf(const TransportKey& receiver, ByteView context, ByteView header);

// A whole stream in memory, for what is small.
Result<Bytes> Seal(const TransportPublic& receiver, ByteView context, ByteView plain);
Result<Bytes> OpenSealed(const TransportKey& receiver, ByteView context, ByteView sealed);

}  // namespace ote::crypto
