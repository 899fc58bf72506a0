// Whether an operator may do what they ask, asked in one place before any handler runs, and written down when it is
// over.
//
// The one at the control socket is `local`: an admin without a scope. The others are on the list that the authority
// signs (core/api/operator.h). Scopes are held against the name and the labels of clusters as this agent knows them.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "agent/access/audit.h"
#include "agent/access/operators.h"
#include "agent/access/rules.h"
#include "agent/rpc.h"
#include "core/api/command.h"
#include "core/base/log.h"

namespace ote::agent {

class Access final : public Guard {
 public:
  // All clusters that this agent knows, itself first.
  using Clusters = std::function<std::vector<api::Cluster>()>;

  // The clusters that have an app of this name, and those that any of its revisions may go to.
  struct AppPlaces {
    std::vector<std::string> now;
    std::vector<std::string> ever;  // those of `now` among them
  };
  using AppsOf = std::function<AppPlaces(const std::string& app)>;
  void SetApps(AppsOf apps) { apps_ = std::move(apps); }

  Access(Context& context, const Operators& operators, Clusters clusters)
      : context_(context), operators_(operators), clusters_(std::move(clusters)), audit_(context.store) {}

  Result<void> Admit(const Request& request) override;
  bool MayPass(const wire::Caller& caller) const override { return caller.name == api::kLocalOperator; }
  Sees SeenBy(const Request& request) const override;
  void Filter(const Request& request, Json& body) override;
  void Over(const Request& request, const Error* error) override;

  // Whether a durable command may be executed at `cluster`, which is this agent or one that it knows, for the operator
  // `by` whose request was taken at `issuer`.
  //
  // Commands come from above only, over a connection that was proved to be the parent's. "" and "local" stand for the
  // issuer itself: an agent above may do what it wants with those below it, and its local operator is that agent. Every
  // other name is looked up in the list that is held here, when the command is executed and not when it was issued: who
  // was revoked in between, or is not known here, is refused.
  Result<void> MayRun(const std::string& by, std::string_view verb, const std::string& cluster) const;
  // Writes a command that was executed here, or refused, to the audit.
  void Ran(const api::Command& command, const Error* error);

  // Writes a request, or a command, that was not taken from `from`, since that is not above this cluster. No more of
  // them than of one operator's refusals.
  void NotTaken(const std::string& from, const wire::Envelope& request, const Error& why);

  // Requests that only read are written down too; off at first.
  void AuditReads(bool yes) noexcept { audit_reads_ = yes; }
  Audit& audit() noexcept { return audit_; }

 private:
  // Who is behind a name: `local`, or from the list. kOperatorUnknown, kRevoked.
  Result<api::Operator> WhoIs(const std::string& name) const;
  // Whether one more refusal of `name` is to be written.
  bool WriteRefusal(const std::string& name);
  Result<std::vector<Target>> TargetsOf(const Rule& rule, const Json& body) const;
  // A label may not carry a cluster out of the scope of the one who sets it.
  Result<void> CheckLabels(const api::Operator& who, const std::vector<Target>& targets, const Json& body) const;

  Context& context_;
  const Operators& operators_;
  Clusters clusters_;
  AppsOf apps_;
  Audit audit_;
  bool audit_reads_ = false;
  std::map<std::string, log::Limiter> refusals_;
};

}  // namespace ote::agent
