#include "agent/node.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "agent/parts.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/version.h"

namespace ote::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestWait{60'000};
constexpr int kMostEventsAStep = 64;

}  // namespace

Node::Node(const Clock& clock, store::StateFolder folder) : clock_(clock), folder_(std::move(folder)) {}

Node::~Node() {
  // The parts may have threads that post; they go first.
  parts_.reset();
  uplink_.reset();
  authority_.reset();
  members_.reset();
  rpc_.reset();
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
  OTE_TRY(auto sign, folder_.SignKey());
  OTE_TRY(auto transport_key, folder_.TransportKey());
  OTE_TRY(auto control, folder_.ControlKey());
  sign_.emplace(std::move(sign));
  transport_key_.emplace(std::move(transport_key));
  OTE_TRY(const auto own, crypto::CheckCertificateSignature(membership_.certificate, membership_.AuthorityKey()));
  if (own.name != membership_.name || own.SignKey() != sign_->Public() || own.Transport() != transport_key_->Public()) {
    return Fail(ErrorId::kCertificateInvalid,
                fmt::format("{}: the certificate is not for the keys beside it", folder_.path.string()),
                "restore the folder from a backup, or join again");
  }
  OTE_TRY(auto opened, store::Store::Open(folder_.Database()));
  store_.emplace(std::move(opened));
  OTE_TRY(auto artifacts, store::Artifacts::Open(folder_.ArtifactFolder()));
  artifacts_.emplace(std::move(artifacts));

  gate_.emplace(clock_, control.Public());
  OTE_TRY(transport_, factory(&*transport_key_, &*gate_));
  rpc_.emplace(&*transport_, &timers_, &clock_);
  context_.emplace(Context{clock_, folder_, membership_, *sign_, *transport_key_, *store_, *artifacts_, *transport_,
                           timers_, *rpc_, [this](std::function<void()> fn) { Post(std::move(fn)); }});
  members_.emplace(*context_);
  uplink_.emplace(*context_, *sign_, *transport_key_);
  parts_ = std::make_unique<Parts>(*context_, *members_, *uplink_);

  OTE_CHECK(members_->Start());
  if (membership_.role == crypto::Role::kRoot) {
    OTE_TRY(auto key, crypto::LoadSigningKey(folder_.AuthorityKeyFile()));
    if (key.Public() != membership_.AuthorityKey()) {
      return Fail(ErrorId::kKeyFileInvalid,
                  fmt::format("{}: not the key of this tree", folder_.AuthorityKeyFile().string()));
    }
    authority_.emplace(*context_, *members_, std::move(key), transport_key_->Public());
    OTE_CHECK(authority_->Start());
    members_->SetRevoke([this](BigId serial) { return authority_->Revoke(serial); });
  }
  gate_->Attach(&*members_, authority_ ? &*authority_ : nullptr, membership_.settings.renew_grace_ms);
  rpc_->RegisterCall<api::Empty>(api::verb::kAgentStatus, kByOperator,
                                 [this](const Request&, const auto&) -> Result<api::AgentStatus> { return Status(); });
  rpc_->RegisterCall<api::Empty>(api::verb::kAgentStop, kByOperator,
                                 [this](const Request&, const auto&) -> Result<api::Empty> {
                                   Stop();
                                   return api::Empty{};
                                 });
  OTE_CHECK(Listen());
  OTE_CHECK(parts_->Start());
  uplink_->Start();
  started_at_ = clock_.WallNow();
  const std::string pid = fmt::format("{}\n", ::getpid());
  return WriteFileAtomic(folder_.PidFile(), AsBytes(pid), 0644, Durability::kBestEffort);
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
  OTE_TRY(const auto control, transport_->Bind(folder_.ControlEndpoint()));
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
  if (const auto own = crypto::CheckCertificateSignature(membership_.certificate, membership_.AuthorityKey())) {
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
        members_->Heard(event.peer, event.caller);
        rpc_->Deliver(std::move(event));
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

}  // namespace ote::agent
