// What the root does about the trust that its members hold: renews certificates, gives out those for new keys, voids
// those that were replaced or removed, and sends what is newer. Serves member.renew and member.rotate.
//
// A member's change of keys, as its root sees it:
//
// - steady: one certificate. A connection by its key is the member.
// - asked (member.rotate): a second certificate, for the next keys, is on disk before it is answered. Connections by
//   either key are the member, so a member that dies with or without the answer comes back.
// - seen: the member said hello over a connection by the next key. The next certificate is the one; connections by the
//   old key are cut and refused; the old serial is on the list, and on its way to all members.
//
// A crash between two steps of "seen" is made good at the next hello or heartbeat. Renewal goes the same way with one
// key: the older serial is void once the member says that it holds the newer certificate.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/access/list_number.h"
#include "agent/context.h"
#include "agent/issuer.h"
#include "agent/members.h"
#include "agent/next_key.h"
#include "core/api/parent_key.h"
#include "core/api/trust.h"
#include "core/store/key_ring.h"

namespace ote::agent {

class TrustDesk {
 public:
  TrustDesk(Context& context, Members& members, Issuer& issuer, store::MemberKeys& keys, NextKey& next)
      : context_(context), members_(members), issuer_(issuer), keys_(keys), next_(next) {}

  // Registers the verbs, finishes what a crash cut off, and renews this agent's own certificate when it is due.
  Result<void> Start();

  // A member says what it holds, over the connection of `caller`; gives what is newer.
  api::TrustNews Heard(const wire::Caller& caller, const api::TrustHeld& held);
  // Voids all certificates of a member: the new list is on disk and on its way to the members when this returns.
  Result<void> Revoke(const api::Cluster& cluster);

  // A certificate for the next keys of a member, which the present ones handed over to: the same for the same keys.
  Result<crypto::Certificate> Certify(const std::string& name, const api::RotateRequest& rotate);

  // Called when the list of operators was signed anew.
  void OnOperators(std::function<void()> fn) { signed_ = std::move(fn); }
  // Tells the members that are there of the lists as they are now.
  void Announce();

  // A new authority (Issuer::Succeed); every member's certificate is reissued, and those that are there are told.
  Result<void> Succeed(const std::string& request_id);
  // A new signing key for this agent.
  Result<void> RotateOwn(const std::string& request_id);
  // A new transport key for this agent, which its children, tokens and credentials pin. It is certified and told to the
  // children, and in use when all that are here have it on disk, or `now`. `done` is then called with the children that
  // were not heard to have it. A change that is under way is joined; one that a crash comes before has not happened,
  // and what the children know of its key does no harm.
  using Changed = std::function<void(Result<std::vector<std::string>>)>;
  void RotateTransport(const std::string& request_id, bool now, Changed done);
  // Children that the next transport key waits for.
  std::vector<std::string> KeyWaitsFor() const { return next_.WaitingFor(); }
  // Members that were not heard to pin the present authority.
  std::vector<std::string> Behind() const;

 private:
  Result<api::RenewReply> Renew(const Request& request, const api::RenewRequest& renew);
  Result<api::RenewReply> Rotate(const Request& request, const api::RotateRequest& rotate);
  // Ends a change of keys that was seen, voids what was superseded; `cluster` is brought up to date.
  Result<void> Settle(api::Cluster& cluster, const wire::Caller& caller, const api::TrustHeld& held);
  api::TrustNews NewsFor(const api::Cluster& cluster, const api::TrustHeld& held);
  Result<void> Reissue();
  Result<void> RenewOwn();
  Result<void> BeginTransport(const std::string& request_id);
  Result<void> SwitchTransport();
  void EndTransport();
  Result<api::ParentKey> KeyOfParent(const std::string& of) const;
  // kBusy while the transport key changes.
  Result<void> CheckSteady() const;

  Context& context_;
  Members& members_;
  Issuer& issuer_;
  store::MemberKeys& keys_;
  NextKey& next_;
  struct TransportChange {
    crypto::Certificate certificate;
    std::string request_id;
    std::vector<Changed> waiting;
  };
  std::optional<TransportChange> change_;
  log::Limiter limiter_;
  std::function<void()> signed_;
  ListNumber list_number_;
};

}  // namespace ote::agent
