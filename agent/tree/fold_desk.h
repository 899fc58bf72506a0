// Adds up the updates of sites below for the root of a run that wants relays to fold, so that one sum goes up in the
// place of many updates. Serves fl.fold.
//
// Each update is fetched as its site sealed it, opened in memory with the key that the root gave for it alone, checked
// against the digest that its site told the root, added, and let go: memory is one sum and one update, and nothing that
// was opened touches the disk. What several sites behind a child have made, that child adds up in the same way, with
// the same keys, and its sum is checked and added as an update is; sums are exact, so that their shape does not show in
// the model. The sum is sealed to the run and kept until the root says that it has it, or for a while. Nothing is
// promised: what a restart loses the root asks for again, and what nobody waits for any more is let go. Masked updates
// go the same way; what is opened of them are words that mean nothing here. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/context.h"
#include "agent/members.h"
#include "agent/transfer.h"
#include "agent/tree/fold_calls.h"
#include "core/api/fold.h"
#include "core/federate/relay_sum.h"

namespace ote::agent {

class FoldDesk {
 public:
  static constexpr std::size_t kFetches = 4;  // at a time for one sum
  static constexpr std::size_t kMostSums = 4;
  static constexpr std::int64_t kMostValues = std::int64_t{1} << 28;
  // For one sum, or less when it is asked to; what has not arrived by then is left out. Who asked waits longer.
  static constexpr std::chrono::milliseconds kTime{240'000};
  static constexpr std::chrono::milliseconds kKeep{600'000};  // of a sum that nobody says is done

  FoldDesk(Context& context, Members& members, Transfer& transfer);
  ~FoldDesk();

  void Start();
  // Sums that are being made.
  std::size_t AtWork() const noexcept { return jobs_.size(); }

 private:
  struct Below;
  struct Job;
  void Asked(Request request);
  void Tell(Request request, const api::FoldRequest& asked) const;  // how far it is
  std::int64_t Progress(const Job& job) const;
  void Begin(Request request, api::FoldWork work);
  void Share(std::uint64_t id, std::chrono::milliseconds time);
  void AskBelow(std::uint64_t id, const std::string& child, std::vector<std::size_t> items,
                std::chrono::milliseconds time);
  Result<void> TakeBelow(Job& job, const std::string& child, const api::FoldReply& reply);
  void ToldBelow(std::uint64_t id, const std::string& child, Result<api::FoldReply> reply);
  void Fill(std::uint64_t id);
  void Arrived(std::uint64_t id, std::size_t index, Result<void> result);
  Result<void> Fold(Job& job, const api::FoldItem& item);
  void Expire(std::uint64_t id);
  void Finish(std::uint64_t id);
  Result<void> Seal(Job& job);
  void DropJob(std::uint64_t id);
  void Release(const std::string& sum);

  Context& context_;
  Members& members_;
  Transfer& transfer_;
  FoldCalls calls_;  // of children that are relays
  std::map<std::uint64_t, std::unique_ptr<Job>> jobs_;
  std::map<std::string, Timers::Id> sums_;  // on offer, by the digest of the sealed sum
  std::uint64_t next_ = 1;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
};

}  // namespace ote::agent
