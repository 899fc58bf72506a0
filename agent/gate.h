// Who may connect: decides by the public key of a connection, before any of its bytes is read.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agent/access/operators.h"
#include "agent/members.h"
#include "core/wire/transport.h"

namespace ote::agent {

class Gate final : public wire::Admission {
 public:
  // Admits the holder of the state folder's control key as the local operator, over the control socket only. What knows
  // of members, tokens and operators comes later.
  Gate(const Clock& clock, const crypto::TransportPublic& control) : clock_(clock), control_(control) {}

  // The token whose enrolment key a key is.
  using TokenOf = std::function<std::optional<std::string>(const crypto::TransportPublic&)>;
  void Attach(const Members* members, TokenOf token_of, const Operators* operators, UnixMillis grace) {
    members_ = members;
    token_of_ = std::move(token_of);
    operators_ = operators;
    grace_ = grace;
  }

  std::optional<wire::Caller> Admit(const crypto::TransportPublic& key) override;
  std::optional<wire::Caller> AdmitLocal(const crypto::TransportPublic& key) override;

 private:
  const Clock& clock_;
  crypto::TransportPublic control_;
  const Members* members_ = nullptr;
  TokenOf token_of_;
  const Operators* operators_ = nullptr;
  UnixMillis grace_ = 0;
};

}  // namespace ote::agent
