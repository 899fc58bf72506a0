// Brings the tasks of one run to their sites, packed for each alone: again and again until each has taken it, and again
// when it comes back.
//
// A site that has answered a task already makes its offer again when the task comes twice, so that nothing is lost when
// either side forgets. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/context.h"
#include "agent/members.h"
#include "agent/sealing/run_seals.h"
#include "agent/transfer.h"
#include "core/api/run.h"

namespace ote::agent {

// Whether the same request may succeed later: the line, the disk or the load was in the way, not the request.
bool MayPass(const Error& error) noexcept;

class TaskCourier {
 public:
  static constexpr std::chrono::milliseconds kPatience{30'000};
  static constexpr std::chrono::milliseconds kPause{2'000};  // doubled with every try, up to kLongestPause
  static constexpr std::chrono::milliseconds kLongestPause{60'000};

  // A site would not have its task: the error is the site's own.
  using Refused = std::function<void(const api::Task& task, const std::string& site, const Error& error)>;

  // A task cannot be packed here: what the disk said. Not called from within Send.
  using Unpacked = std::function<void(const Error& error)>;
  // How often a task is packed anew for a site that says it was altered on its way.
  static constexpr int kMostDamaged = 3;

  TaskCourier(Context& context, Members& members, Transfer& transfer, RunSeals& seals, Refused refused,
              Unpacked unpacked);
  ~TaskCourier();

  // Takes the place of a task that the site had from here before; lets the site fetch the sealed copy of its model.
  void Send(const std::string& site, const api::Task& task);
  // The task that the site has to do, if there is one.
  const api::Task* TaskOf(const std::string& site) const;
  // The site is (perhaps newly) there.
  void Present(const std::string& site);
  // The round is over for the site.
  void Forget(const std::string& site, std::int64_t round);
  void ForgetAll();
  // Whether an answer is to the task that the site has from here: kParcelMismatch. One to a round that is not open for
  // it is for others to judge.
  Result<void> CheckAnswer(const std::string& site, const parcel::Head& answer) const;

 private:
  struct Errand {
    api::Task task;
    parcel::TaskName name{};
    RunSeals::Copies copies;           // what it names, sealed; empty until it was packed
    std::vector<std::string> granted;  // of these, what the site may fetch
    int damaged = 0;
    std::uint64_t serial = 0;             // told apart from an earlier one of the same site
    std::optional<Destination> taken_by;  // the connection over which it was taken
    bool asking = false;
    int tries = 0;
    Timers::Id timer = 0;
  };
  void Try(const std::string& site);
  Result<Json> Pack(const std::string& site, Errand& errand);
  void Answered(const std::string& site, std::uint64_t serial, const Destination& way,
                const Result<wire::Envelope>& answer);
  void Later(const std::string& site, Errand& errand);
  void Drop(std::map<std::string, Errand>::iterator it);

  Context& context_;
  Members& members_;
  Transfer& transfer_;
  RunSeals& seals_;
  Refused refused_;
  Unpacked unpacked_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
  std::map<std::string, Errand> errands_;
  std::uint64_t next_serial_ = 1;
};

}  // namespace ote::agent
