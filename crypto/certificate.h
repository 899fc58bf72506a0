// Certificates and revocation lists: what the authority of a tree signs.
//
// A certificate is `body` (CBOR of CertificateBody) and a signature over it under the domain "ote-certificate-v1". It
// is checked over the bytes that arrived, and parsed only after that.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/codec.h"
#include "crypto/keys.h"

namespace ote::crypto {

enum class Role { kRoot, kMember };

struct CertificateBody {
  BigId serial;  // unique within the authority, never reused
  std::string name;
  Role role = Role::kMember;
  std::string parent;  // the member that it joined through; "" for the root
  std::map<std::string, std::string> labels;
  Bytes sign_key;       // Ed25519, 32 bytes
  Bytes transport_key;  // X25519, 32 bytes
  UnixMillis not_before = 0;
  UnixMillis not_after = 0;
  Bytes authority;  // fingerprint of the authority's key

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("serial", self.serial, kRequired);
    v("name", self.name, kRequired);
    v("role", self.role, kRequired);
    v("parent", self.parent);
    v("labels", self.labels);
    v("signKey", self.sign_key, kRequired);
    v("transportKey", self.transport_key, kRequired);
    v("notBefore", self.not_before, kRequired);
    v("notAfter", self.not_after, kRequired);
    v("authority", self.authority, kRequired);
  }
  VerifyKey SignKey() const;
  TransportPublic Transport() const;
};

// How dates are looked at. Renewal accepts a certificate that expired at most `grace` ago.
struct Validity {
  UnixMillis now = 0;
  UnixMillis skew = 120'000;
  UnixMillis grace = 0;
};

// The wire and file form.
struct Certificate {
  Bytes body;
  Bytes signature;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("body", self.body, kRequired);
    v("signature", self.signature, kRequired);
  }
};

Certificate IssueCertificate(const SigningKey& authority, const CertificateBody& body);

// Signature, lengths, name, dates (kCertificateInvalid, kCertificateExpired, kClockOff when not yet valid beyond the
// skew).
Result<CertificateBody> CheckCertificate(const Certificate& certificate, const VerifyKey& authority,
                                         const Validity& validity);
// Signature and form only, for a member's own certificate at start and for records.
Result<CertificateBody> CheckCertificateSignature(const Certificate& certificate, const VerifyKey& authority);
// When to renew: at two thirds of the life.
UnixMillis RenewalTime(const CertificateBody& body) noexcept;

// The numbered list of serials that are void. A receiver keeps the highest number that it saw.
struct RevocationBody {
  std::int64_t number = 0;
  UnixMillis issued_at = 0;
  std::vector<BigId> serials;  // ascending
  Bytes authority;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("number", self.number, kRequired);
    v("issuedAt", self.issued_at, kRequired);
    v("serials", self.serials, kRequired);
    v("authority", self.authority, kRequired);
  }
  bool Contains(BigId serial) const noexcept;
};
struct RevocationList {
  Bytes body;
  Bytes signature;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("body", self.body, kRequired);
    v("signature", self.signature, kRequired);
  }
};
RevocationList IssueRevocationList(const SigningKey& authority, const RevocationBody& body);
// kSignatureInvalid, or kConflict when its number is below `at_least` (an old list played again).
Result<RevocationBody> CheckRevocationList(const RevocationList& list, const VerifyKey& authority,
                                           std::int64_t at_least);

}  // namespace ote::crypto

template <>
struct ote::EnumNames<ote::crypto::Role> {
  static constexpr std::pair<ote::crypto::Role, std::string_view> kNames[] = {{ote::crypto::Role::kRoot, "root"},
                                                                              {ote::crypto::Role::kMember, "member"}};
};
