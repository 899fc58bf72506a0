// The root's side of members that are reached by files: takes their requests and updates, and says what goes into the
// grants, tasks and receipts for them. Serves cluster.approve, fl.export and fl.import.
//
// The files themselves are read and written by the command line, which runs as the same user and holds the same keys:
// this thread is never kept by a large file. What is given out under a number is on disk, with that number, before the
// file is in its place. One thread.
#pragma once

#include "agent/authority.h"
#include "agent/by_hand/ledger.h"
#include "agent/context.h"
#include "agent/members.h"

namespace ote::agent {

class HandDesk {
 public:
  HandDesk(Context& context, Members& members, Authority& authority)
      : context_(context), members_(members), authority_(authority) {}
  // Registers the verbs.
  void Start();

 private:
  Result<api::ApproveReply> Approve(const api::ApproveRequest& request);
  Result<std::int64_t> RevocationNumber() const;

  Context& context_;
  Members& members_;
  Authority& authority_;
};

}  // namespace ote::agent
