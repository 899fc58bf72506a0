#include "crypto/succession.h"

#include <fmt/format.h>

#include <optional>

namespace ote::crypto {
namespace {

constexpr std::string_view kDomain = "ote-succession-v1";
constexpr std::string_view kAcceptDomain = "ote-succession-accept-v1";
constexpr std::size_t kMaxBody = 1024;
constexpr std::size_t kMaxChain = 4096;  // a change a day for eleven years

tl::unexpected<Error> Invalid(std::string_view why) {
  return Fail(ErrorId::kSuccessionInvalid, fmt::format("succession of the authority: {}", why));
}

Bytes AsBytesOf(const Signature& signature) { return {signature.begin(), signature.end()}; }

// What a link says, unproved: only to find where in a chain to begin.
std::optional<SuccessionBody> Claimed(const Succession& link) {
  if (link.body.size() > kMaxBody) return std::nullopt;
  auto body = FromCbor<SuccessionBody>(link.body);
  if (!body || body->from.size() != 32 || body->to.size() != 32) return std::nullopt;
  return std::move(*body);
}

}  // namespace

Succession IssueSuccession(const SigningKey& from, const SigningKey& to, std::int64_t number, UnixMillis now) {
  Succession link;
  link.body = ToCbor(SuccessionBody{number, now, ToBytes(from.Public().bytes), ToBytes(to.Public().bytes)});
  link.signature = AsBytesOf(from.Sign(kDomain, link.body));
  link.accepted = AsBytesOf(to.Sign(kAcceptDomain, link.body));
  return link;
}

Result<SuccessionBody> CheckSuccession(const Succession& link, const VerifyKey& from) {
  if (link.body.size() > kMaxBody) return Invalid("a link is larger than any is");
  if (!Verify(from, kDomain, link.body, link.signature)) {
    return Invalid("a link is not signed by the authority before it");
  }
  auto body = FromCbor<SuccessionBody>(link.body);
  if (!body) return Invalid(body.error().message);
  if (body->from.size() != 32 || body->to.size() != 32) return Invalid("a key has not 32 bytes");
  if (AsKey(body->from) != from.bytes) return Invalid("a link names another authority than the one that signed it");
  if (body->from == body->to) return Invalid("an authority does not follow itself");
  if (body->number < 1) return Invalid("a link's number is below 1");
  if (!Verify(VerifyKey{AsKey(body->to)}, kAcceptDomain, link.body, link.accepted)) {
    return Invalid("the new authority has not accepted it");
  }
  return body;
}

std::size_t SuccessionOf(const std::vector<Succession>& chain, const Fingerprint& authority) {
  for (std::size_t i = 0; i < chain.size(); ++i) {
    const auto body = Claimed(chain[i]);
    if (body && FingerprintOf(VerifyKey{AsKey(body->from)}) == authority) return i;
  }
  return chain.size();
}

Result<VerifyKey> FollowSuccession(const std::vector<Succession>& chain, const Fingerprint& pinned) {
  if (chain.size() > kMaxChain) return Invalid("it is longer than any is");
  auto at = SuccessionOf(chain, pinned);
  if (at == chain.size()) {
    if (const auto last = chain.empty() ? std::nullopt : Claimed(chain.back())) {
      // Nothing to follow: the key is the pinned one, whatever the link says.
      if (const VerifyKey to{AsKey(last->to)}; FingerprintOf(to) == pinned) return to;
    }
    return Invalid("the authority that is pinned here is not in it");
  }
  VerifyKey key{AsKey(Claimed(chain[at])->from)};
  for (std::int64_t number = 0; at < chain.size(); ++at) {
    OTE_TRY(const auto body, CheckSuccession(chain[at], key));
    if (number != 0 && body.number != number + 1) return Invalid("a link is missing");
    number = body.number;
    key.bytes = AsKey(body.to);
  }
  return key;
}

}  // namespace ote::crypto
