#include "crypto/session.h"

#include <sodium.h>

#include <catch2/catch.hpp>
#include <optional>

namespace ote::crypto {
namespace {

struct Two {
  explicit Two(std::uint64_t pieces = kSessionPieces)
      : caller(*ours.Agree(theirs.Public(), SessionSide::kCaller, AsBytes("test"), pieces)),
        listener(*theirs.Agree(ours.Public(), SessionSide::kListener, AsBytes("test"), pieces)) {}
  SessionOffer ours = SessionOffer::Make();
  SessionOffer theirs = SessionOffer::Make();
  Session caller;
  Session listener;
};

struct Piece {
  Bytes about;
  Bytes sealed;
  SessionTag tag{};
};

Piece Seal(SessionSealer& sealer, std::string_view about, std::string_view plain) {
  Piece out{Bytes(about.begin(), about.end()), Bytes(plain.size()), {}};
  out.tag = sealer.Seal(AsBytes(about), AsBytes(plain), out.sealed).value();
  return out;
}

// What it held, or nothing when it was refused.
std::optional<std::string> Open(SessionOpener& opener, Piece piece) {
  opener.Also(piece.about);
  opener.Open(piece.sealed);
  if (!opener.Check(piece.tag)) return std::nullopt;
  return std::string(AsText(piece.sealed));
}

}  // namespace

TEST_CASE("both sides of a session understand each other and each direction has a key of its own") {
  Two two;
  for (const auto* text : {"one", "", "three"}) {
    const Piece up = Seal(two.caller.sealer, "about", text);
    if (!up.sealed.empty()) CHECK(AsText(up.sealed) != text);
    CHECK(Open(two.listener.opener, up) == text);
    CHECK(Open(two.caller.opener, Seal(two.listener.sealer, "", text)) == text);
  }
  // What one side sent does not pass for the other's.
  CHECK_FALSE(Open(two.caller.opener, Seal(two.caller.sealer, "about", "mirror")));
}

TEST_CASE("a piece that is repeated, left out, moved or altered is refused and the right one is taken after that") {
  Two two;
  const Piece first = Seal(two.caller.sealer, "a", "first");
  const Piece second = Seal(two.caller.sealer, "b", "second");
  CHECK_FALSE(Open(two.listener.opener, second));  // the first was left out
  CHECK(Open(two.listener.opener, first) == "first");
  CHECK_FALSE(Open(two.listener.opener, first));  // again
  for (std::size_t i = 0; i < second.sealed.size(); ++i) {
    Piece altered = second;
    altered.sealed[i] ^= 1;
    CHECK_FALSE(Open(two.listener.opener, altered));
  }
  for (std::size_t i = 0; i < kSessionTag; ++i) {
    Piece altered = second;
    altered.tag.at(i) ^= 0x80;
    CHECK_FALSE(Open(two.listener.opener, altered));
  }
  Piece altered = second;
  altered.about[0] ^= 1;
  CHECK_FALSE(Open(two.listener.opener, altered));
  altered = second;
  altered.sealed.pop_back();
  CHECK_FALSE(Open(two.listener.opener, altered));
  two.listener.opener.Also(second.about);
  CHECK_FALSE(two.listener.opener.Check(ByteView(second.tag).first(15)));
  CHECK(Open(two.listener.opener, second) == "second");
}

TEST_CASE("a piece of another session, or of one for another use, is refused") {
  Two two;
  Two other;
  CHECK_FALSE(Open(two.listener.opener, Seal(other.caller.sealer, "a", "text")));
  const auto ours = SessionOffer::Make();
  const auto theirs = SessionOffer::Make();
  auto caller = ours.Agree(theirs.Public(), SessionSide::kCaller, AsBytes("one")).value();
  auto listener = theirs.Agree(ours.Public(), SessionSide::kListener, AsBytes("another")).value();
  CHECK_FALSE(Open(listener.opener, Seal(caller.sealer, "a", "text")));
}

TEST_CASE("a session key protects so many pieces and no more") {
  Two two(2);
  CHECK(Open(two.listener.opener, Seal(two.caller.sealer, "", "one")) == "one");
  CHECK(Open(two.listener.opener, Seal(two.caller.sealer, "", "two")) == "two");
  const auto refused = two.caller.sealer.Seal({}, {}, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().id == ErrorId::kSessionUsedUp);
}

TEST_CASE("a session with a key of small order is not agreed on") {
  const auto refused = SessionOffer::Make().Agree({}, SessionSide::kCaller, AsBytes("test"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().id == ErrorId::kSessionBroken);
}

// ChaCha20-Poly1305 (RFC 8439) as libsodium has it: another implementation than the one that the session uses.
TEST_CASE("a session's pieces are those of the published cipher with the number as nonce") {
  const Bytes key(32, 5);
  SessionSealer sealer(key);
  const std::string plain(1000, 'p');
  for (std::uint8_t number = 0; number < 3; ++number) {
    const Piece piece = Seal(sealer, "about it", plain);
    std::array<std::uint8_t, crypto_aead_chacha20poly1305_IETF_NPUBBYTES> nonce{0, 0, 0, 0, number};
    Bytes sealed(plain.size());
    SessionTag tag{};
    crypto_aead_chacha20poly1305_ietf_encrypt_detached(sealed.data(), tag.data(), nullptr, AsBytes(plain).data(),
                                                       plain.size(), piece.about.data(), piece.about.size(), nullptr,
                                                       nonce.data(), key.data());
    CHECK(sealed == piece.sealed);
    CHECK(tag == piece.tag);
  }
}

TEST_CASE("a piece in parts is the same as the piece in one") {
  Two two;
  const std::string text(200'000, 'x');
  Piece piece = Seal(two.caller.sealer, text, text);
  auto& opener = two.listener.opener;
  for (std::size_t at = 0; at < text.size(); at += 50'000) opener.Also(ByteView(piece.about).subspan(at, 50'000));
  for (std::size_t at = 0; at < text.size(); at += 25'000) opener.Open(std::span(piece.sealed).subspan(at, 25'000));
  REQUIRE(opener.Check(piece.tag));
  CHECK(std::string(AsText(piece.sealed)) == text);
}

}  // namespace ote::crypto
