// Serves fl.output: what the trainers of this site printed, and at a root, what those of a member did. What they
// printed with rows that have a privacy budget is shown to the operator on this machine alone.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/context.h"
#include "agent/members.h"
#include "core/api/requests.h"
#include "core/site/ledger.h"

namespace ote::agent {

class OutputDesk {
 public:
  static constexpr std::chrono::milliseconds kPatience{8'000};  // below that of `ote fl logs`

  // `id_of` gives the id of a run of this root by its id or name.
  OutputDesk(Context& context, Members& members, site::Ledger& ledger,
             std::function<Result<std::string>(const std::string&)> id_of);
  void Start();

 private:
  void Serve(Request request);
  Result<api::OutputTail> Read(const Request& request, const api::OutputRequest& asked) const;
  void AskMember(Request request, const api::OutputRequest& asked);

  Context& context_;
  Members& members_;
  site::Ledger& ledger_;
  std::function<Result<std::string>(const std::string&)> id_of_;
};

}  // namespace ote::agent
