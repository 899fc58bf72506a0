// Gets from relays the sums that a run machine asks for: gives a relay the keys to the updates that it is to add up,
// and opens the sum that comes back. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/context.h"
#include "agent/members.h"
#include "agent/sealing/openings.h"
#include "agent/sealing/run_seals.h"
#include "agent/transfer.h"
#include "agent/tree/fold_calls.h"
#include "core/federate/run_machine.h"

namespace ote::agent {

class RunSums {
 public:
  struct Hooks {
    std::function<void(const federate::Event&)> happened;  // FetchedSum or SumFailed
    std::function<void(const Error&)> disk_failed;         // our own
    // Whether an artifact must stay: the sum of one relay may be, byte for byte, what the run has kept of its round.
    std::function<bool(const std::string& digest)> needed;
  };
  RunSums(Context& context, Members& members, Transfer& transfer, Openings& openings, RunSeals& seals, std::string run,
          Hooks hooks)
      : context_(context),
        openings_(openings),
        seals_(seals),
        run_(std::move(run)),
        hooks_(std::move(hooks)),
        calls_(context, members, transfer) {}
  ~RunSums() { ForgetAll(); }

  // Never calls back from within.
  void Fetch(const federate::FetchSum& wanted);
  // Nothing that was asked for is told any more.
  void ForgetAll();

 private:
  struct Job {
    federate::FetchSum wanted;
    std::vector<federate::FetchedSum::NotFolded> failed;
    FoldCalls::Id call = 0;
    Openings::Id opening = 0;
  };
  api::FoldWork WorkOf(Job& job);
  void Made(std::int64_t id, Result<api::FoldReply> made);

  Context& context_;
  Openings& openings_;
  RunSeals& seals_;
  std::string run_;
  Hooks hooks_;
  FoldCalls calls_;
  std::map<std::int64_t, Job> jobs_;  // by FetchSum::id
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace ote::agent
