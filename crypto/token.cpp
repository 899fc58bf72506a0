// Layout of the pin, before base64url: the number of endpoints (one byte); each endpoint's length (two bytes,
// big-endian) and characters; the root's transport key (32); the authority's fingerprint (32); the checksum (8), which
// is the start of BLAKE2b-256 over the characters before the pin and the pin up to the checksum.
#include "crypto/token.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <optional>

#include "crypto/require.h"
#include "crypto/secret_text.h"

namespace ote::crypto {
namespace {

constexpr std::string_view kPrefix = "ote1.";
constexpr std::string_view kCrockford = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t kIdLength = 10;
constexpr std::size_t kSecretSize = 32;
constexpr std::size_t kSecretLength = 43;
constexpr std::size_t kMaxEndpoints = 8;
constexpr std::size_t kMaxEndpoint = 256;
constexpr std::size_t kKeys = 64;  // transport key and fingerprint
constexpr std::size_t kChecksum = 8;
constexpr std::size_t kMaxLength = 4096;  // characters; the longest token has under 3,000

using Checksum = std::array<std::uint8_t, kChecksum>;

Checksum ChecksumOf(std::string_view before_pin, ByteView payload) {
  Init();
  crypto_generichash_state state;
  std::array<std::uint8_t, 32> whole{};
  crypto_generichash_init(&state, nullptr, 0, whole.size());
  crypto_generichash_update(&state, AsBytes(before_pin).data(), before_pin.size());
  crypto_generichash_update(&state, payload.data(), payload.size());
  crypto_generichash_final(&state, whole.data(), whole.size());
  sodium_memzero(&state, sizeof state);  // it holds the secret's characters
  Checksum checksum{};
  std::copy_n(whole.begin(), checksum.size(), checksum.begin());
  return checksum;
}

bool EndpointFits(std::string_view endpoint) {
  return !endpoint.empty() && endpoint.size() <= kMaxEndpoint &&
         std::ranges::all_of(endpoint, [](char c) { return c > ' ' && c <= '~'; });
}

bool AllOf(std::string_view text, std::string_view alphabet) {
  return text.find_first_not_of(alphabet) == std::string_view::npos;
}

Bytes PayloadOf(const JoinToken& token) {
  Bytes payload;
  payload.push_back(static_cast<std::uint8_t>(token.endpoints.size()));
  for (const std::string& endpoint : token.endpoints) {
    payload.push_back(static_cast<std::uint8_t>(endpoint.size() >> 8));
    payload.push_back(static_cast<std::uint8_t>(endpoint.size() & 255));
    payload.insert(payload.end(), endpoint.begin(), endpoint.end());
  }
  payload.insert(payload.end(), token.parent_key.bytes.begin(), token.parent_key.bytes.end());
  payload.insert(payload.end(), token.authority.begin(), token.authority.end());
  return payload;
}

// The size that a whole pin has, as far as the part that is there tells; 0 when that much cannot be a pin.
std::size_t PinSize(ByteView start) {
  std::size_t size = 1;
  if (start.empty()) return size + kKeys + kChecksum;
  if (start[0] == 0 || start[0] > kMaxEndpoints) return 0;
  for (int i = 0; i < start[0]; ++i) {
    if (size + 2 > start.size()) return std::max(size + 2, start.size()) + kKeys + kChecksum;
    const std::size_t length = start[size] * std::size_t{256} + start[size + 1];
    if (length == 0 || length > kMaxEndpoint) return 0;
    size += 2 + length;
  }
  return size + kKeys + kChecksum;
}

tl::unexpected<Error> Malformed(std::string_view why) {
  return Fail(ErrorId::kTokenMalformed, fmt::format("join token: {}", why), "copy the token again, whole");
}

constexpr std::string_view kMistyped = "it was mistyped: its checksum does not fit";
constexpr std::string_view kCutShort = "it was cut short: characters are missing at its end";

// Why a pin whose checksum does not hold is not one: cut short where its own lengths say so, mistyped otherwise.
tl::unexpected<Error> BadPin(std::string_view pin) {
  const auto start = Base64UrlDecode(pin.substr(0, pin.size() / 4 * 4));
  const std::size_t size = start ? PinSize(*start) : 0;
  const std::size_t length = (size * 4 + 2) / 3;
  if (size == 0 || pin.size() == length) return Malformed(kMistyped);
  return Malformed(pin.size() < length ? kCutShort : "it is longer than a token: characters were added at its end");
}

// Fills endpoints and keys from a payload of the right size.
Result<void> ReadPayload(ByteView payload, JoinToken& token) {
  std::size_t at = 1;
  for (int i = 0; i < payload[0]; ++i) {
    const std::size_t length = payload[at] * std::size_t{256} + payload[at + 1];
    const std::string_view endpoint = AsText(payload.subspan(at + 2, length));
    if (!EndpointFits(endpoint)) return Malformed("an endpoint in it has characters that no endpoint has");
    token.endpoints.emplace_back(endpoint);
    at += 2 + length;
  }
  std::ranges::copy(payload.subspan(at, 32), token.parent_key.bytes.begin());
  std::ranges::copy(payload.subspan(at + 32, 32), token.authority.begin());
  return {};
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// id, secret and pin: the parts after the prefix.
Result<std::array<std::string_view, 3>> Split(std::string_view text) {
  if (text.empty()) return Malformed("it is empty");
  if (text.size() > kMaxLength) return Malformed("this is not a token: it is far too long");
  if (!text.starts_with(kPrefix)) {
    if (kPrefix.starts_with(text)) return Malformed(kCutShort);
    return Malformed("this is not a token: a token begins with ote1.");
  }
  std::array<std::string_view, 3> parts;
  std::string_view rest = text.substr(kPrefix.size());
  for (std::size_t i = 0; i < 2; ++i) {
    const std::size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    const std::size_t want = i == 0 ? kIdLength : kSecretLength;
    if (dot == std::string_view::npos) {
      return Malformed(part.size() <= want ? kCutShort : "it was mistyped: a token has four parts with a dot between");
    }
    if (part.size() != want) {
      return Malformed(fmt::format("it was mistyped: its {} has {} characters, not {}", i == 0 ? "id" : "secret",
                                   part.size(), want));
    }
    parts[i] = part;
    rest.remove_prefix(dot + 1);
  }
  parts[2] = rest;
  return parts;
}

}  // namespace

Result<void> CheckEndpoints(const std::vector<std::string>& endpoints) {
  if (endpoints.empty()) return Fail(ErrorId::kEndpointInvalid, "a token needs an endpoint to join at");
  if (endpoints.size() > kMaxEndpoints) {
    return Fail(ErrorId::kEndpointInvalid,
                fmt::format("a token carries at most {} endpoints, not {}", kMaxEndpoints, endpoints.size()));
  }
  if (!std::ranges::all_of(endpoints, EndpointFits)) {
    return Fail(ErrorId::kEndpointInvalid,
                fmt::format("an endpoint in a token has 1 to {} printable characters and no space", kMaxEndpoint));
  }
  return {};
}

JoinToken JoinToken::Make(std::vector<std::string> endpoints, const TransportPublic& parent_key,
                          const Fingerprint& authority) {
  Require(CheckEndpoints(endpoints).has_value(), "a token is made of endpoints that were not checked");
  JoinToken token;
  const SecretBytes random = SecretBytes::Random(kIdLength);
  for (const std::uint8_t byte : random.View()) token.id.push_back(kCrockford[byte & 31]);
  token.secret = SecretBytes::Random(kSecretSize);
  token.endpoints = std::move(endpoints);
  token.parent_key = parent_key;
  token.authority = authority;
  return token;
}

Result<JoinToken> JoinToken::Parse(std::string_view text) {
  text = Trimmed(text);
  OTE_TRY(const auto parts, Split(text));
  const auto& [id, secret, pin] = parts;
  if (!AllOf(id, kCrockford) || !AllOf(secret, kBase64Url)) {
    return Malformed("it was mistyped: it has a character that no token has there");
  }
  JoinToken token;
  token.id = id;
  auto secret_bytes = DecodeSecret(secret, kSecretSize);
  if (!secret_bytes) return Malformed(kMistyped);
  token.secret = std::move(*secret_bytes);

  if (!AllOf(pin, kBase64Url)) return Malformed("it was mistyped: it has a character that no token has there");
  const auto bytes = Base64UrlDecode(pin);
  if (!bytes || bytes->size() < kChecksum) return BadPin(pin);
  const ByteView payload = ByteView(*bytes).first(bytes->size() - kChecksum);
  const Checksum checksum = ChecksumOf(text.substr(0, text.size() - pin.size()), payload);
  if (!std::ranges::equal(checksum, ByteView(*bytes).last(kChecksum))) return BadPin(pin);
  // The checksum keeps no secret: whoever made it may have put anything before it.
  if (PinSize(payload) != bytes->size()) return Malformed("it is not of the form that this version reads");
  OTE_CHECK(ReadPayload(payload, token));
  return token;
}

SecretBytes JoinToken::Reveal() const {
  const SecretBytes secret_text = EncodeSecret(secret.View());
  SecretBytes head(kPrefix.size() + id.size() + 1 + secret_text.size() + 1);
  auto out = std::ranges::copy(kPrefix, head.Mutable().begin()).out;
  out = std::ranges::copy(id, out).out;
  *out++ = '.';
  out = std::ranges::copy(secret_text.View(), out).out;
  *out = '.';

  Bytes pin = PayloadOf(*this);
  const Checksum checksum = ChecksumOf(AsText(head.View()), pin);
  pin.insert(pin.end(), checksum.begin(), checksum.end());
  const std::string pin_text = Base64UrlEncode(pin);

  SecretBytes whole(head.size() + pin_text.size());
  auto end = std::ranges::copy(head.View(), whole.Mutable().begin()).out;
  std::ranges::copy(pin_text, end);
  return whole;
}

SecretBytes JoinToken::ProofKey() const { return DeriveKey(secret.View(), "ote-token-proof"); }

TransportKey JoinToken::EnrolmentKey() const {
  const SecretBytes key = DeriveKey(secret.View(), "ote-token-link");
  return std::move(*TransportKey::FromSecret(key.View()));
}

}  // namespace ote::crypto
