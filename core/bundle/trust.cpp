#include "core/bundle/trust.h"

#include <fmt/format.h>

#include <algorithm>

namespace ote::bundle {
namespace {

Error Untrusted(const Header& header, std::string_view why) {
  return {ErrorId::kBundleUntrusted, fmt::format("the bundle says that it is from {}: {}", header.issuer, why),
          "ote bundle inspect FILE shows who signed it"};
}

std::int64_t NumberOf(const std::optional<crypto::RevocationList>& list, const crypto::VerifyKey& authority) {
  if (!list) return -1;
  const auto body = crypto::CheckRevocationList(*list, authority, 0);
  return body ? body->number : -1;
}

std::string WithArticle(std::string_view kind) {
  const bool vowel = !kind.empty() && std::string_view("aeiou").find(kind.front()) != std::string_view::npos;
  return fmt::format("{} {}", vowel ? "an" : "a", kind);
}

}  // namespace

Result<crypto::VerifyKey> AuthorityOf(const Header& header, const crypto::VerifyKey& pinned) {
  const auto print = crypto::FingerprintOf(pinned);
  if (crypto::SuccessionOf(header.successions, print) == header.successions.size()) return pinned;
  return crypto::FollowSuccession(header.successions, print);
}

Result<crypto::CertificateBody> CheckIssuer(const Header& header, const crypto::VerifyKey& authority,
                                            const std::optional<crypto::RevocationList>& known,
                                            std::optional<UnixMillis> now) {
  if (!header.certificate) return Fail(Untrusted(header, "it holds no certificate"));
  const auto body = crypto::CheckCertificateSignature(*header.certificate, authority);
  if (!body) return Fail(Untrusted(header, "its certificate is not of the authority that is pinned here"));
  if (body->name != header.issuer || body->sign_key != header.sign_key) {
    return Fail(Untrusted(header, "its certificate is for another name or another key"));
  }
  OTE_TRY(const auto newer, NewerRevocations(header, authority, known));
  for (const auto* list : {&known, &newer}) {
    if (!*list) continue;
    const auto revoked = crypto::CheckRevocationList(**list, authority, 0);
    if (revoked && revoked->Contains(body->serial)) {
      return Fail(ErrorId::kRevoked, fmt::format("the bundle is from {}, whose certificate was revoked", body->name));
    }
  }
  if (now) OTE_CHECK(crypto::CheckCertificate(*header.certificate, authority, crypto::Validity{.now = *now}));
  return *body;
}

Result<void> CheckReceiver(const Header& header, const std::string& name, const crypto::TransportPublic& key) {
  if (header.receiver == name &&
      std::equal(key.bytes.begin(), key.bytes.end(), header.receiver_key.begin(), header.receiver_key.end())) {
    return {};
  }
  const std::string why = header.receiver == name ? fmt::format("for {} with another key", name)
                                                  : fmt::format("for {}, and this is {}", header.receiver, name);
  return Fail(ErrorId::kBundleReceiver, "the bundle is " + why, "ote bundle inspect FILE");
}

std::string_view TakenBy(std::string_view kind) noexcept {
  if (kind == kind::kRequest) return "ote cluster approve";
  if (kind == kind::kGrant) return "ote cluster join --grant";
  if (kind == kind::kTask) return "ote fl train";
  if (kind == kind::kUpdate || kind == kind::kReceipt) return "ote fl import";
  if (kind == kind::kModel) return "ote model import";
  if (kind == kind::kApp || kind == kind::kAppReceipt) return "ote app import";
  return {};
}

Result<void> CheckKind(const Header& header, std::string_view wanted) {
  if (header.kind == wanted) return {};
  const auto by = TakenBy(header.kind);
  return Fail(ErrorId::kBundleKind,
              fmt::format("the bundle is {}, and not {}", WithArticle(header.kind), WithArticle(wanted)),
              by.empty() ? std::string() : fmt::format("{} takes it", by));
}

Result<std::optional<crypto::RevocationList>> NewerRevocations(const Header& header, const crypto::VerifyKey& authority,
                                                               const std::optional<crypto::RevocationList>& known) {
  if (!header.revocations) return std::optional<crypto::RevocationList>();
  auto body = crypto::CheckRevocationList(*header.revocations, authority, 0);
  if (!body) return Fail(std::move(body).error().Context("the bundle's list of revocations"));
  if (body->number <= NumberOf(known, authority)) return std::optional<crypto::RevocationList>();
  return header.revocations;
}

}  // namespace ote::bundle
