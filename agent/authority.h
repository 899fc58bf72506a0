// The authority of a tree, at its root: tokens, enrolment, renewal, revocation. Serves enrol.*, token.*, member.renew.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "agent/context.h"
#include "agent/members.h"
#include "core/api/requests.h"
#include "crypto/keys.h"
#include "crypto/token.h"

namespace ote::agent {

// The clocks of two members may differ by this much before certificates become a matter of luck.
inline constexpr UnixMillis kClockTolerance = 120'000;

class Authority {
 public:
  // `transport` is this agent's own key, which tokens pin.
  Authority(Context& context, Members& members, crypto::SigningKey authority, const crypto::TransportPublic& transport);

  // Registers the verbs, renews this agent's own certificate when it is due, forgets tokens that ended long ago.
  Result<void> Start();

  // The token whose enrolment key this is, dead or alive: so that a dead one can be told what it died of.
  std::optional<std::string> TokenOf(const crypto::TransportPublic& key) const;

  // Admits a cluster that asked by a file, whose keys were proved by its signature, or finds it admitted with the same
  // keys (agent/by_hand). kNameTaken, kConflict.
  struct Admitted {
    api::Cluster cluster;
    bool already = false;
  };
  Result<Admitted> AdmitByHand(const api::EnrolBody& body, const std::vector<api::DatasetSummary>& datasets);
  // Renews the certificate of such a member when it is due.
  Result<api::Cluster> RenewByHand(const std::string& name);

  // Voids a certificate: a new list is on disk and on its way to the members when this returns.
  Result<void> Revoke(BigId serial);

 private:
  Result<api::TokenReply> CreateToken(const api::TokenRequest& request);
  Result<api::TokenList> ListTokens();
  Result<api::Token> RevokeToken(const api::NameRequest& request);
  Result<api::EnrolHello> Hello();
  Result<api::EnrolReply> Enrol(const Request& request, const api::EnrolRequest& enrol);
  Result<api::RenewReply> Renew(const Request& request, const api::RenewRequest& renew);
  // Token, proof, signature, clock: everything about the request but the name.
  Result<api::EnrolBody> CheckEnrol(const Request& request, const api::EnrolRequest& enrol, api::Token* token);
  Result<std::pair<crypto::Certificate, crypto::CertificateBody>> Issue(crypto::CertificateBody body);
  Result<void> RenewOwn();

  Context& context_;
  Members& members_;
  crypto::SigningKey authority_;
  crypto::TransportPublic transport_;
  std::map<std::string, api::Token> tokens_;
};

// The endpoints that a token should carry for these: a wildcard host is replaced by this machine's own addresses
// (loopback when it has no other). At most eight.
std::vector<std::string> AdvertisedEndpoints(const std::vector<std::string>& bound);

}  // namespace ote::agent
