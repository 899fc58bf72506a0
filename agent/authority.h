// Who may come in, at the root of a tree: tokens and enrolment. Serves enrol.* and token.*.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "agent/context.h"
#include "agent/issuer.h"
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
  Authority(Context& context, Members& members, Issuer& issuer, const crypto::TransportPublic& transport);

  // Registers the verbs, forgets tokens that ended long ago.
  Result<void> Start();

  // The token whose enrolment key this is, dead or alive: so that a dead one can be told what it died of.
  std::optional<std::string> TokenOf(const crypto::TransportPublic& key) const;

 private:
  Result<api::TokenReply> CreateToken(const api::TokenRequest& request);
  Result<api::TokenList> ListTokens();
  Result<api::Token> RevokeToken(const api::NameRequest& request);
  Result<api::EnrolHello> Hello();
  Result<api::EnrolReply> Enrol(const Request& request, const api::EnrolRequest& enrol);
  // Token, proof, signature, clock: everything about the request but the name.
  Result<api::EnrolBody> CheckEnrol(const Request& request, const api::EnrolRequest& enrol, api::Token* token);
  void Remember(const api::Token& token);

  Context& context_;
  Members& members_;
  Issuer& issuer_;
  crypto::TransportPublic transport_;
  std::map<std::string, api::Token> tokens_;
  std::map<Bytes, std::string> by_key_;  // enrolment key to id
};

// The endpoints that a token should carry for these: a wildcard host is replaced by this machine's own addresses
// (loopback when it has no other). At most eight.
std::vector<std::string> AdvertisedEndpoints(const std::vector<std::string>& bound);

}  // namespace ote::agent
