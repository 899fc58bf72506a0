#include "crypto/certificate.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "core/base/ids.h"
#include "core/base/units.h"

namespace ote::crypto {
namespace {

constexpr std::string_view kDomain = "ote-certificate-v1";
constexpr std::size_t kMaxBody = 16 * 1024;            // 64 labels at their longest take 9 KiB
constexpr UnixMillis kLastDate = 253'402'300'799'999;  // the end of the year 9999: sums of dates cannot overflow

tl::unexpected<Error> Invalid(std::string_view why) {
  return Fail(ErrorId::kCertificateInvalid, fmt::format("certificate: {}", why));
}

std::string Span(UnixMillis millis) { return FormatDuration(std::chrono::milliseconds(millis / 1000 * 1000)); }

Result<void> CheckForm(const CertificateBody& body, const VerifyKey& authority) {
  if (!std::ranges::equal(body.authority, FingerprintOf(authority))) {
    return Invalid("it names another authority than the one that signed it");
  }
  if (const auto name = CheckName("name", body.name); !name) return Invalid(name.error().message);
  if (!body.parent.empty()) {
    if (const auto parent = CheckName("parent", body.parent); !parent) return Invalid(parent.error().message);
  }
  if (body.sign_key.size() != 32)
    return Invalid(fmt::format("its signing key has {} bytes, not 32", body.sign_key.size()));
  if (body.transport_key.size() != 32) {
    return Invalid(fmt::format("its transport key has {} bytes, not 32", body.transport_key.size()));
  }
  if (body.not_before < 0 || body.not_before >= body.not_after || body.not_after > kLastDate) {
    return Invalid("it ends before it begins, or its dates are out of range");
  }
  return {};
}

Result<void> CheckDates(const CertificateBody& body, const Validity& validity) {
  const UnixMillis ahead = body.not_before - validity.now;
  if (ahead > validity.skew) {
    return Fail(
        ErrorId::kClockOff,
        fmt::format("certificate of {}: it is valid from {}, {} after this machine's {}: this machine's clock is "
                    "behind, or the one of the authority ahead",
                    body.name, FormatTime(body.not_before), Span(ahead), FormatTime(validity.now)),
        "set the clock of the machine that is off");
  }
  const UnixMillis past = validity.now - body.not_after;
  if (past > validity.skew + validity.grace) {
    return Fail(
        ErrorId::kCertificateExpired,
        fmt::format("certificate of {}: it expired on {}, {} ago", body.name, FormatTime(body.not_after), Span(past)),
        "make a token at the root with ote cluster token create, and join again");
  }
  return {};
}

}  // namespace

VerifyKey CertificateBody::SignKey() const { return {AsKey(sign_key)}; }

TransportPublic CertificateBody::Transport() const { return {AsKey(transport_key)}; }

Certificate IssueCertificate(const SigningKey& authority, const CertificateBody& body) {
  CertificateBody signed_body = body;
  const Fingerprint fingerprint = FingerprintOf(authority.Public());
  signed_body.authority.assign(fingerprint.begin(), fingerprint.end());
  Certificate certificate;
  certificate.body = ToCbor(signed_body);
  const Signature signature = authority.Sign(kDomain, certificate.body);
  certificate.signature.assign(signature.begin(), signature.end());
  return certificate;
}

Result<CertificateBody> CheckCertificateSignature(const Certificate& certificate, const VerifyKey& authority) {
  if (certificate.body.size() > kMaxBody) {
    return Invalid(fmt::format("it has {} bytes, more than any has", certificate.body.size()));
  }
  if (const auto verified = Verify(authority, kDomain, certificate.body, certificate.signature); !verified) {
    return Invalid("its signature is not the authority's");
  }
  auto body = FromCbor<CertificateBody>(certificate.body);
  if (!body) return Invalid(body.error().message);
  OTE_CHECK(CheckForm(*body, authority));
  return body;
}

Result<CertificateBody> CheckCertificate(const Certificate& certificate, const VerifyKey& authority,
                                         const Validity& validity) {
  OTE_TRY(CertificateBody body, CheckCertificateSignature(certificate, authority));
  OTE_CHECK(CheckDates(body, validity));
  return body;
}

UnixMillis RenewalTime(const CertificateBody& body) noexcept {
  // (not_before + 2 not_after) / 3, with no sum that could overflow.
  const UnixMillis from = body.not_before;
  const UnixMillis to = body.not_after;
  return from / 3 + to / 3 * 2 + (from % 3 + to % 3 * 2) / 3;
}

}  // namespace ote::crypto
