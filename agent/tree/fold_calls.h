// Asks children for sums of the updates of sites behind them: gives a child its work, sees that it gets on with it, and
// fetches the sealed sum. One thread.
//
// A child that hangs is told from one that is slow by asking it, once a heartbeat, how far it is: it is given up when
// it does not answer, when it knows nothing of the work, and when what it has taken in does not grow for longer than it
// takes to give up on one site.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agent/context.h"
#include "agent/members.h"
#include "agent/transfer.h"
#include "core/api/fold.h"

namespace ote::agent {

class FoldCalls {
 public:
  using Id = std::uint64_t;
  // Without an answer to the question how far it is; three heartbeats when these are longer. As long as a slow line may
  // take to bring one piece that the answer waits behind.
  static constexpr std::chrono::milliseconds kSilence = Transfer::kPatience;
  static constexpr std::chrono::milliseconds kStall = Transfer::kPatience * (Transfer::kTries + 1);

  // What becomes of the sealed sum, which is here and goes after: says once, also from within, whether it was taken.
  using Opened = std::function<void(Result<void>)>;
  using Open = std::function<void(const api::FoldReply&, Opened)>;
  using Done = std::function<void(Result<api::FoldReply>)>;

  FoldCalls(Context& context, Members& members, Transfer& transfer)
      : context_(context), members_(members), transfer_(transfer) {}
  ~FoldCalls();

  // Wipes the keys of `work`. `done` is called once, never from within Ask: with a reply in which something is folded,
  // and whose sum `open` took; or with kUnreachable, kTimedOut past `patience` or when the child was given up, what the
  // child said, kUpdateShape for a sum of another size, or what `open` and the own disk said. kNoSpace and kFileFailed
  // are of the own disk alone.
  Id Ask(const std::string& child, api::FoldWork work, std::chrono::milliseconds patience, Open open, Done done);
  // `done` is not called any more, and a child that is at work on it is told to leave it.
  void Cancel(Id id);
  // api::FoldReply::progress, as the child told it last.
  std::int64_t Progress(Id id) const;

 private:
  struct Call {
    std::string child;
    std::string run;
    std::int64_t round = 0;
    std::size_t size = 0;  // of the sum
    Open open;
    Done done;
    std::uint64_t work = 0;  // the question that gave the child its work
    api::FoldReply reply;
    Transfer::Id fetch = 0;
    Timers::Id timer = 0;
    std::chrono::milliseconds heard{0};
    std::chrono::milliseconds moved{0};
    std::int64_t progress = 0;
    bool asking = false;
    bool opening = false;
  };
  Result<void> Send(Id id, api::FoldWork& work, std::chrono::milliseconds patience);
  void Look(Id id);
  void Told(Id id, const Result<wire::Envelope>& answer);
  void Answered(Id id, const Result<wire::Envelope>& answer);
  Result<void> Take(Id id, Call& call, const wire::Envelope& answer);
  void Arrived(Id id, Result<void> result);
  void Taken(Id id, const Result<void>& opened);
  void End(Id id, Result<api::FoldReply> result);
  std::chrono::milliseconds Beat() const;

  Context& context_;
  Members& members_;
  Transfer& transfer_;
  std::map<Id, Call> calls_;
  Id next_ = 1;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
};

}  // namespace ote::agent
