// What a member that is no root does about the papers of its own children: passes on the lists of void certificates and
// of operators, takes their newer certificates, and cuts off those whose certificate is void. One thread.
#pragma once

#include "agent/access/list_number.h"
#include "agent/context.h"
#include "agent/members.h"
#include "agent/uplink.h"

namespace ote::agent {

class RelayTrust {
 public:
  RelayTrust(Context& context, Members& members, Uplink& uplink)
      : context_(context), members_(members), uplink_(uplink) {}

  Result<void> Start();

 private:
  api::TrustNews Heard(const api::TrustHeld& held) const;
  Result<api::Empty> TakeCertificate(const Request& request, const api::CertificateNews& news);
  void TakeNews(const api::TrustNews& news);
  Result<void> DropVoid();

  Context& context_;
  Members& members_;
  Uplink& uplink_;
  mutable ListNumber list_number_;
};

}  // namespace ote::agent
