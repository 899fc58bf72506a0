#include "agent/node.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "agent/apps/apps.h"
#include "agent/by_hand/app_intake.h"
#include "agent/by_hand/desk.h"
#include "agent/parts.h"
#include "agent/state/view.h"
#include "agent/tree/tree_parts.h"
#include "agent/watch/tally.h"
#include "agent/watch/watch.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/version.h"

namespace ote::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestWait{60'000};
constexpr int kMostEventsAStep = 64;

}  // namespace

Node::Node(const Clock& clock, store::StateFolder folder)
    : clock_(clock), folder_(std::move(folder)), tally_(std::make_unique<Tally>()) {}

Node::~Node() {
  // The parts may have threads that post; they go first.
  watch_.reset();
  hand_.reset();
  app_intake_.reset();
  tree_.reset();
  apps_.reset();
  parts_.reset();
  access_desk_.reset();
  key_desk_.reset();
  rotation_.reset();
  commands_.reset();
  state_.reset();
  uplink_.reset();
  authority_.reset();
  trust_.reset();
  issuer_.reset();
  next_key_.reset();
  members_.reset();
  rpc_.reset();
  access_.reset();
  operators_.reset();
  transport_.reset();
  std::error_code ignored;
  if (lock_) std::filesystem::remove(folder_.PidFile(), ignored);
}

Result<std::unique_ptr<Node>> Node::Open(const std::filesystem::path& folder, const Clock& clock,
                                         const TransportFactory& factory) {
  std::unique_ptr<Node> node(new Node(clock, store::StateFolder{folder}));
  OTE_CHECK(node->Load(factory));
  return node;
}

Result<void> Node::Load(const TransportFactory& factory) {
  OTE_TRY(membership_, folder_.LoadMembership());
  OTE_TRY(auto lock, store::FolderLock::Take(folder_));
  lock_.emplace(std::move(lock));
  OTE_TRY(auto control, folder_.ControlKey());
  OTE_TRY(auto control_server, folder_.ControlServerKey());
  control_server_.emplace(std::move(control_server));
  OTE_TRY(const auto own, membership_.Own());
  if (own.name != membership_.name) {
    return Fail(ErrorId::kCertificateInvalid,
                fmt::format("{}: the certificate is another cluster's", folder_.path.string()),
                "restore the folder from a backup, or join again");
  }
  OTE_TRY(auto keys, store::LoadMemberKeys(folder_, own));
  keys_.emplace(std::move(keys));
  OTE_TRY(auto opened, store::Store::Open(folder_.Database()));
  store_.emplace(std::move(opened));
  OTE_TRY(auto artifacts, store::Artifacts::Open(folder_.ArtifactFolder()));
  artifacts_.emplace(std::move(artifacts));

  gate_.emplace(clock_, control.Public());
  OTE_TRY(transport_, factory(&keys_->transport, &*gate_));
  rpc_.emplace(&*transport_, &timers_, &clock_);
  rpc_->SetTally(&*tally_);
  context_.emplace(Context{clock_, folder_, membership_, keys_->sign, keys_->transport, *store_, *artifacts_,
                           *transport_, timers_, *rpc_, [this](std::function<void()> fn) { Post(std::move(fn)); },
                           &*tally_});
  members_.emplace(*context_);
  operators_.emplace(*context_);
  access_.emplace(*context_, *operators_, [this] { return members_->List(); });
  rpc_->SetGuard(&*access_);
  uplink_.emplace(*context_, keys_->sign, keys_->transport);
  state_.emplace(*context_, *members_, *uplink_);
  commands_.emplace(*context_, *members_, *uplink_);
  uplink_->OnNews([this](const api::TrustNews& news) {
    if (news.operators) operators_->Refresh();
  });
  next_key_.emplace(*context_, *members_);
  rotation_.emplace(*context_, *uplink_, *keys_, *next_key_);
  parts_ = std::make_unique<Parts>(*context_, *members_, *uplink_);
  apps_ = std::make_unique<Apps>(*context_, *members_, *uplink_, *commands_, *state_, parts_->transfer);

  tree_ = std::make_unique<TreeParts>(*context_, *members_, *uplink_, parts_->transfer,
                                      [this](const std::string& digest) { return parts_->Needs(digest); });
  access_->SetApps([this](const std::string& app) {
    auto reached = apps_->ReachOf(app);
    return Access::AppPlaces{std::move(reached.now), std::move(reached.ever)};
  });
  tree_->guest().OnRefused([this](const std::string& from, const wire::Envelope& request, const Error& why) {
    access_->NotTaken(from, request, why);
  });
  OTE_CHECK(members_->Start());
  OTE_CHECK(tree_->Start());
  OTE_CHECK(state_->Start());
  commands_->SetWarden({[this](const api::Command& command) {  // What an agent above does by itself; an operator who
                                                               // goes by its name is still an operator.
                          if (command.by == command.issuer && operators_->Find(command.by) == nullptr)
                            return Result<void>{};
                          return access_->MayRun(command.by, command.verb, membership_.name);
                        },
                        [this](const api::Command& command, const Error* error) { access_->Ran(command, error); }});
  OTE_CHECK(commands_->Start());
  ServeClusterView(*context_, *members_, *state_, *commands_);
  if (membership_.role == crypto::Role::kRoot) OTE_CHECK(StartAuthority());
  key_desk_.emplace(*context_, *keys_, *rotation_, trust_ ? &*trust_ : nullptr);
  key_desk_->Start();
  access_desk_.emplace(*context_, *members_, *operators_, *access_, issuer_ ? &*issuer_ : nullptr,
                       trust_ ? &*trust_ : nullptr);
  access_desk_->Start();
  gate_->Attach(
      &*members_,
      [this](const crypto::TransportPublic& key) -> std::optional<std::string> {
        if (authority_) return authority_->TokenOf(key);
        return tree_->enrol() != nullptr ? tree_->enrol()->TokenOf(key) : std::nullopt;
      },
      &*operators_, membership_.settings.renew_grace_ms);
  rpc_->RegisterCall<api::Empty>(api::verb::kAgentStatus, kByOperator,
                                 [this](const Request&, const auto&) -> Result<api::AgentStatus> { return Status(); });
  rpc_->RegisterCall<api::Empty>(api::verb::kAgentStop, kByOperator,
                                 [this](const Request&, const auto&) -> Result<api::Empty> {
                                   Stop();
                                   return api::Empty{};
                                 });
  parts_->also_needed = [this] {
    auto needed = apps_->Needed();
    if (hand_) needed.merge(hand_->Needed());
    return needed;
  };
  OTE_CHECK(Listen());
  OTE_CHECK(apps_->Start());
  if (hand_) {
    hand_->ServeApps(apps_->desk());
  } else {
    app_intake_ = std::make_unique<AppIntake>(*context_, apps_->site(), keys_->transport);
    app_intake_->Start();
  }
  OTE_CHECK(parts_->Start());
  watch_ = std::make_unique<Watch>(Watched{*context_, *members_, *uplink_, *parts_, [this] {
                                             const std::lock_guard guard(posted_mutex_);
                                             return posted_.size();
                                           }});
  watch_->SetBoard(&*state_);
  OTE_CHECK(watch_->Start());
  uplink_->Start();
  started_at_ = clock_.WallNow();
  const std::string pid = fmt::format("{}\n", ::getpid());
  return WriteFileAtomic(folder_.PidFile(), AsBytes(pid), 0644, Durability::kBestEffort);
}

Result<void> Node::StartAuthority() {
  OTE_TRY(auto key, store::LoadAuthorityKey(folder_, membership_.AuthorityKey()));
  issuer_.emplace(*context_, std::move(key));
  trust_.emplace(*context_, *members_, *issuer_, *keys_, *next_key_);
  trust_->OnOperators([this] { operators_->Refresh(); });
  authority_.emplace(*context_, *members_, *issuer_);
  members_->SetTrust(
      {[this](const api::Cluster& cluster) { return trust_->Revoke(cluster); },
       [this](const wire::Caller& caller, const api::TrustHeld& held) { return trust_->Heard(caller, held); }});
  OTE_CHECK(trust_->Start());
  hand_ = std::make_unique<HandDesk>(*context_, *members_, *issuer_, *trust_, parts_->runs, keys_->transport);
  OTE_CHECK(hand_->Start());
  return authority_->Start();
}

Result<void> Node::Listen() {
  bool picked = false;
  for (auto& endpoint : membership_.listen) {
    OTE_TRY(const auto bound, transport_->Bind(endpoint));
    picked = picked || bound != endpoint;
    endpoint = bound;
  }
  // The port that was picked is kept: those who join hold it in their state.
  if (picked) OTE_CHECK(folder_.SaveMembership(membership_));
  OTE_TRY(const auto control, transport_->BindAs(folder_.ControlEndpoint(), *control_server_));
  log::Info("listening",
            {{"control", control}, {"endpoints", membership_.listen.empty() ? "none" : membership_.listen.front()}});
  return {};
}

api::AgentStatus Node::Status() const {
  api::AgentStatus status;
  status.name = membership_.name;
  status.role = membership_.role;
  status.version = Version();
  status.pid = ::getpid();
  status.listen = membership_.listen;
  status.fingerprint = crypto::ToText(crypto::FingerprintOf(membership_.AuthorityKey()));
  if (membership_.parent && !membership_.parent->endpoints.empty()) {
    status.parent = membership_.parent->endpoints.front();
    status.connected = uplink_->Connected();
    status.message = uplink_->Message();
  }
  status.started_at = started_at_;
  if (const auto own = membership_.Own()) {
    status.certificate_expires_at = own->not_after;
  }
  status.clusters = static_cast<std::int64_t>(members_->List().size()) - 1;
  status.datasets = parts_->datasets.Count();
  status.runs_active = parts_->runs.ActiveCount();
  return status;
}

void Node::Step(milliseconds at_most) {
  const auto wait = timers_.Until(clock_.SteadyNow(), at_most);
  for (auto& event : transport_->Wait(wait)) {
    switch (event.kind) {
      case wire::EventKind::kPeerMessage:
        if (members_->Heard(event.peer, event.caller)) rpc_->Deliver(std::move(event));
        break;
      case wire::EventKind::kLinkMessage:
        if (event.envelope.verb == wire::kEvictedVerb) {
          uplink_->HandleEvent(event);
        } else {
          rpc_->Deliver(std::move(event));
        }
        break;
      case wire::EventKind::kWoken:
        break;
      default:
        uplink_->HandleEvent(event);
        break;
    }
  }
  RunPosted();
  timers_.RunDue(clock_.SteadyNow());
}

void Node::RunPosted() {
  for (int i = 0; i < kMostEventsAStep; ++i) {
    std::function<void()> fn;
    {
      const std::lock_guard guard(posted_mutex_);
      if (posted_.empty()) return;
      fn = std::move(posted_.front());
      posted_.pop_front();
    }
    fn();
  }
  transport_->Wake();
}

void Node::Run() {
  while (!stop_) Step(kLongestWait);
  // What was answered last, such as the answer to agent.stop, leaves with the transport.
}

void Node::Stop() {
  stop_ = true;
  transport_->Wake();
}

void Node::Post(std::function<void()> fn) {
  {
    const std::lock_guard guard(posted_mutex_);
    posted_.push_back(std::move(fn));
  }
  transport_->Wake();
}

Worker& Node::worker() noexcept { return parts_->datasets.GetWorker(); }

RunController& Node::runs() noexcept { return parts_->runs; }

bool Node::Busy() const { return parts_ && !(parts_->datasets.GetWorker().Idle() && parts_->runs.GetWorker().Idle()); }

}  // namespace ote::agent
