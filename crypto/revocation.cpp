#include <fmt/format.h>

#include <algorithm>

#include "crypto/certificate.h"

namespace ote::crypto {
namespace {

constexpr std::string_view kDomain = "ote-revocations-v1";
constexpr std::size_t kMaxBody = 1024 * 1024;  // some fifty thousand serials

tl::unexpected<Error> Invalid(std::string_view why) {
  return Fail(ErrorId::kSignatureInvalid, fmt::format("revocation list: {}", why));
}

}  // namespace

bool RevocationBody::Contains(BigId serial) const noexcept {
  return std::binary_search(serials.begin(), serials.end(), serial);
}

RevocationList IssueRevocationList(const SigningKey& authority, const RevocationBody& body) {
  RevocationBody signed_body = body;
  std::sort(signed_body.serials.begin(), signed_body.serials.end());
  signed_body.serials.erase(std::unique(signed_body.serials.begin(), signed_body.serials.end()),
                            signed_body.serials.end());
  const Fingerprint fingerprint = FingerprintOf(authority.Public());
  signed_body.authority.assign(fingerprint.begin(), fingerprint.end());
  RevocationList list;
  list.body = ToCbor(signed_body);
  const Signature signature = authority.Sign(kDomain, list.body);
  list.signature.assign(signature.begin(), signature.end());
  return list;
}

Result<RevocationBody> CheckRevocationList(const RevocationList& list, const VerifyKey& authority,
                                           std::int64_t at_least) {
  if (list.body.size() > kMaxBody) return Invalid(fmt::format("it has {} bytes, more than any has", list.body.size()));
  if (const auto verified = Verify(authority, kDomain, list.body, list.signature); !verified) {
    return Invalid("its signature is not the authority's");
  }
  auto body = FromCbor<RevocationBody>(list.body);
  if (!body) return Invalid(body.error().message);
  if (!std::ranges::equal(body->authority, FingerprintOf(authority))) {
    return Invalid("it names another authority than the one that signed it");
  }
  if (body->number < 0) return Invalid("its number is negative");
  // Contains() searches a sorted list: in any other order a serial that is void would not be found.
  if (std::ranges::adjacent_find(body->serials, std::ranges::greater_equal{}) != body->serials.end()) {
    return Invalid("its serials are not in ascending order");
  }
  if (body->number < at_least) {
    return Fail(ErrorId::kConflict, fmt::format("revocation list: it is number {}, older than number {} that is held",
                                                body->number, at_least));
  }
  return body;
}

}  // namespace ote::crypto
