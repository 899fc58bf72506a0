// One agent: its state folder, its transport and its parts, driven by one loop in one thread.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "agent/access/access.h"
#include "agent/access/desk.h"
#include "agent/authority.h"
#include "agent/commands/commands.h"
#include "agent/context.h"
#include "agent/gate.h"
#include "agent/issuer.h"
#include "agent/key_desk.h"
#include "agent/members.h"
#include "agent/next_key.h"
#include "agent/rotation.h"
#include "agent/state/mirror.h"
#include "agent/trust_desk.h"
#include "agent/uplink.h"
#include "core/base/result.h"

namespace ote::agent {

class Apps;       // agent/apps/apps.h
class HandDesk;   // agent/by_hand/desk.h
class AppIntake;  // agent/by_hand/app_intake.h
class RunController;
class Parts;      // runs, trainer, data sets, models (parts.h)
class TreeParts;  // agent/tree/tree_parts.h
class Tally;      // agent/watch/tally.h
class Watch;      // agent/watch/watch.h
class Worker;     // agent/worker.h

// Makes the transport once the keys are loaded; both arguments outlive it.
using TransportFactory =
    std::function<Result<std::unique_ptr<wire::Transport>>(const crypto::TransportKey*, wire::Admission*)>;

class Node {
 public:
  // Loads the folder, which must hold a membership and not be locked by another agent (kNotEnrolled, kAgentRunning,
  // kCertificateInvalid, kKeyFileExposed …), opens the store, binds the endpoints and the control socket, and begins to
  // connect to the parent. Nothing is served before Step().
  static Result<std::unique_ptr<Node>> Open(const std::filesystem::path& folder, const Clock& clock,
                                            const TransportFactory& factory);
  ~Node();

  // Waits at most `at_most` for something to do, and does what there is.
  void Step(std::chrono::milliseconds at_most);
  // Steps until Stop().
  void Run();
  // Any thread.
  void Stop();
  // Runs `fn` in the thread of Step soon; any thread.
  void Post(std::function<void()> fn);

  // Whether requests that only read are written to the audit too.
  void AuditReads(bool yes) { access_->AuditReads(yes); }

  const store::Membership& membership() const noexcept { return membership_; }
  Members& members() noexcept { return *members_; }
  Uplink& uplink() noexcept { return *uplink_; }
  TreeParts& tree() noexcept { return *tree_; }
  State& state() noexcept { return *state_; }
  Commands& commands() noexcept { return *commands_; }
  RunController& runs() noexcept;
  // Whether something long runs in a worker's thread: reading, opening, training, or unmasking.
  bool Busy() const;
  Worker& worker() noexcept;
  Context& context() noexcept { return *context_; }
  // What the desk of durable commands asks before it executes one for an operator.
  Access& access() noexcept { return *access_; }
  std::vector<std::string> OperatorVerbs() const { return rpc_->OperatorVerbs(); }
  bool stopping() const noexcept { return stop_; }

 private:
  Node(const Clock& clock, store::StateFolder folder);
  Result<void> Load(const TransportFactory& factory);
  Result<void> StartAuthority();
  Result<void> Listen();
  api::AgentStatus Status() const;
  void RunPosted();

  const Clock& clock_;
  store::StateFolder folder_;
  std::optional<store::FolderLock> lock_;
  store::Membership membership_;
  std::optional<store::MemberKeys> keys_;  // changed in their place
  std::optional<crypto::TransportKey> control_server_;
  std::optional<store::Store> store_;
  std::optional<store::Artifacts> artifacts_;
  std::optional<Gate> gate_;
  std::unique_ptr<wire::Transport> transport_;
  Timers timers_;
  std::unique_ptr<Tally> tally_;
  std::optional<Rpc> rpc_;
  std::optional<Context> context_;
  std::optional<Members> members_;
  std::optional<Operators> operators_;
  std::optional<Access> access_;  // outlives all requests
  std::optional<AccessDesk> access_desk_;
  std::optional<NextKey> next_key_;
  std::optional<Issuer> issuer_;  // at the root, as the next two
  std::optional<TrustDesk> trust_;
  std::optional<Authority> authority_;
  std::optional<Uplink> uplink_;
  std::optional<State> state_;
  std::optional<Commands> commands_;
  std::optional<Rotation> rotation_;
  std::optional<KeyDesk> key_desk_;
  std::unique_ptr<Parts> parts_;
  std::unique_ptr<Apps> apps_;
  std::unique_ptr<TreeParts> tree_;
  std::unique_ptr<HandDesk> hand_;         // at a root
  std::unique_ptr<AppIntake> app_intake_;  // at a member
  std::unique_ptr<Watch> watch_;
  std::atomic<bool> stop_ = false;
  std::mutex posted_mutex_;
  std::deque<std::function<void()>> posted_;
  UnixMillis started_at_ = 0;
};

}  // namespace ote::agent
