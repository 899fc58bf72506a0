// Who the operators are, and what they did. Serves operator.* and cluster.audit; operators are made at the root, and
// every agent shows those that it has been told of.
#pragma once

#include "agent/access/access.h"
#include "agent/access/operators.h"
#include "agent/issuer.h"
#include "agent/members.h"
#include "agent/trust_desk.h"

namespace ote::agent {

class AccessDesk {
 public:
  // `issuer` and `trust` are nullptr at a member.
  AccessDesk(Context& context, Members& members, Operators& operators, Access& access, Issuer* issuer, TrustDesk* trust)
      : context_(context), members_(members), operators_(operators), access_(access), issuer_(issuer), trust_(trust) {}
  // Registers the verbs, and reads the list that is held.
  void Start();

 private:
  Result<api::OperatorReply> Create(const api::OperatorRequest& asked);
  Result<api::OperatorReply> Remove(const api::OperatorRemoveRequest& asked);
  Result<void> Check(const api::OperatorRequest& asked) const;
  // Signs, takes and tells the list with `changed` in it.
  Result<void> Change(const api::Operator& changed);
  api::OperatorReply Reply(const api::Operator& record, bool already) const;

  Context& context_;
  Members& members_;
  Operators& operators_;
  Access& access_;
  Issuer* issuer_;
  TrustDesk* trust_;
};

}  // namespace ote::agent
