// The authority's key at work: certificates, the revocation list, and the authority's own succession. At the root only,
// and the one part that holds the key.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "agent/context.h"
#include "core/api/cluster.h"
#include "crypto/keys.h"

namespace ote::agent {

class Issuer {
 public:
  Issuer(Context& context, crypto::SigningKey authority) : context_(context), authority_(std::move(authority)) {}

  const crypto::VerifyKey& Public() const noexcept { return authority_.Public(); }
  crypto::Fingerprint Fingerprint() const { return crypto::FingerprintOf(authority_.Public()); }

  using Issued = std::pair<crypto::Certificate, crypto::CertificateBody>;
  // Gives `body` a serial of its own and this authority's name.
  Result<Issued> Issue(crypto::CertificateBody body);
  // What a certificate of this authority says; kCertificateInvalid for another's.
  Result<crypto::CertificateBody> Check(const crypto::Certificate& certificate) const;

  // Whether the list holds it.
  bool IsVoid(BigId serial) const;
  // Puts the serials on the list; whether they were not all there. The new list is on disk when this returns.
  //
  // The list does not grow for ever: a serial that was only renewed leaves it when its certificate has been over for
  // longer than anyone takes one, grace and skew included. Those of removed members and replaced keys stay.
  Result<bool> Void(const std::vector<api::Superseded>& serials);

  // Makes these the operators of the tree, under the next number. On disk when this returns. kUsage when there are more
  // than a list holds.
  Result<void> SetOperators(std::vector<api::Operator> items);

  // The authority hands over to a new one: key, link of succession, own certificate and lists of the new authority.
  //
  // The one write of member.json is the moment. Before it a crash leaves the old authority, after it the new one, and
  // the private half of the old one is destroyed right behind it, or at the next start: nobody needs it, since those
  // who pin it go by the link, which is on disk. The certificates of the members are reissued after that (TrustDesk).
  Result<void> Succeed(const std::string& request_id);

 private:
  Result<crypto::RevocationBody> List() const;
  Result<api::OperatorBody> OperatorsHeld() const;

  Context& context_;
  crypto::SigningKey authority_;
};

}  // namespace ote::agent
