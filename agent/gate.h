// Who may connect: decides by the public key of a connection, before any of its bytes is read.
#pragma once

#include "agent/access/operators.h"
#include "agent/authority.h"
#include "agent/members.h"
#include "core/wire/transport.h"

namespace ote::agent {

class Gate final : public wire::Admission {
 public:
  // Admits the holder of the state folder's control key as the local operator, over the control socket only. What knows
  // of members, tokens and operators comes later.
  Gate(const Clock& clock, const crypto::TransportPublic& control) : clock_(clock), control_(control) {}

  void Attach(const Members* members, const Authority* authority, const Operators* operators, UnixMillis grace) {
    members_ = members;
    authority_ = authority;
    operators_ = operators;
    grace_ = grace;
  }

  std::optional<wire::Caller> Admit(const crypto::TransportPublic& key) override;
  std::optional<wire::Caller> AdmitLocal(const crypto::TransportPublic& key) override;

 private:
  const Clock& clock_;
  crypto::TransportPublic control_;
  const Members* members_ = nullptr;
  const Authority* authority_ = nullptr;
  const Operators* operators_ = nullptr;
  UnixMillis grace_ = 0;
};

}  // namespace ote::agent
