// Gets from relays the sums that a run machine asks for: gives a relay the keys to the updates that it is to add up,
// fetches the sealed sum, opens it, and hands it over. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agent/context.h"
#include "agent/members.h"
#include "agent/sealing/run_seals.h"
#include "agent/transfer.h"
#include "core/api/fold.h"
#include "core/federate/run_machine.h"

namespace ote::agent {

class RunSums {
 public:
  static constexpr std::chrono::milliseconds kPatience{300'000};  // for a relay to fold; more than it takes at most
  static constexpr std::chrono::milliseconds kShortPatience{30'000};

  struct Hooks {
    std::function<void(const federate::Event&)> happened;  // FetchedSum or SumFailed
    std::function<void(const Error&)> disk_failed;         // our own
    // Whether an artifact must stay: the sum of one relay may be, byte for byte, what the run has kept of its round.
    std::function<bool(const std::string& digest)> needed;
  };
  RunSums(Context& context, Members& members, Transfer& transfer, RunSeals& seals, std::string run, Hooks hooks)
      : context_(context),
        members_(members),
        transfer_(transfer),
        seals_(seals),
        run_(std::move(run)),
        hooks_(std::move(hooks)) {}
  ~RunSums() { ForgetAll(); }

  // Never calls back from within.
  void Fetch(const federate::FetchSum& wanted);
  // Nothing that was asked for is told any more.
  void ForgetAll();

 private:
  struct Job {
    federate::FetchSum wanted;
    std::vector<federate::FetchedSum::NotFolded> failed;
    api::FoldReply reply;
    Transfer::Id fetch = 0;
  };
  Result<void> Ask(Job& job);
  void Answered(std::int64_t id, Result<wire::Envelope> answer);
  Result<void> Take(Job& job, const wire::Envelope& answer);
  void Arrived(std::int64_t id, Result<void> result);
  void Failed(std::int64_t id, const Error& error);
  void Release(const Job& job);

  Context& context_;
  Members& members_;
  Transfer& transfer_;
  RunSeals& seals_;
  std::string run_;
  Hooks hooks_;
  std::map<std::int64_t, Job> jobs_;  // by FetchSum::id
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace ote::agent
