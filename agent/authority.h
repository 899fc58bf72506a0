// Who may come in, at the root of a tree: tokens and enrolment. Serves enrol.* and token.*.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "agent/context.h"
#include "agent/endpoints.h"
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
  Authority(Context& context, Members& members, Issuer& issuer);

  // Registers the verbs, forgets tokens that ended long ago.
  Result<void> Start();

  // The token whose enrolment key this is, dead or alive: so that a dead one can be told what it died of.
  std::optional<std::string> TokenOf(const crypto::TransportPublic& key) const;

 private:
  Result<api::TokenReply> CreateToken(const api::TokenRequest& request);
  // A token that admits to this agent, or to the relay `parent` with that key.
  Result<api::TokenReply> MakeToken(const api::TokenRequest& request, const std::string& parent,
                                    const std::vector<std::string>& endpoints, const crypto::TransportPublic& key);
  Result<api::TokenReply> CarriedToken(const Request& request, const api::CarriedToken& carried);
  Result<api::EnrolReply> CarriedEnrol(const Request& request, const api::CarriedEnrol& carried);
  // Those of one relay, or all.
  Result<api::TokenList> ListTokens(const std::string& relay);
  Result<api::Token> RevokeToken(const api::NameRequest& request, const std::string& relay);
  Result<api::EnrolHello> Hello();
  // `token_id`: by whose key the connection is; `parent`: to whom it is.
  Result<api::EnrolReply> Enrol(const std::string& token_id, const std::string& parent, const api::EnrolRequest& enrol);
  // Token, proof, signature, clock: everything about the request but the name.
  Result<api::EnrolBody> CheckEnrol(const std::string& token_id, const std::string& parent,
                                    const api::EnrolRequest& enrol, api::Token* token);
  void Remember(const api::Token& token);

  Context& context_;
  Members& members_;
  Issuer& issuer_;
  std::map<std::string, api::Token> tokens_;
  std::map<Bytes, std::string> by_key_;  // enrolment key to id
};

}  // namespace ote::agent
