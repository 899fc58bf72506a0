#include "agent/next_key.h"

#include <algorithm>
#include <utility>

#include "core/base/log.h"

namespace ote::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{10'000};

}  // namespace

void NextKey::Begin(const crypto::Certificate& next, std::optional<milliseconds> patience, std::function<void()> done) {
  End();
  next_ = next;
  done_ = std::move(done);
  const auto now = context_.clock.SteadyNow();
  if (patience) give_up_ = now + *patience;
  look_ = context_.timers.At(now, [this] { Look(); });
}

void NextKey::End() {
  context_.timers.Cancel(look_);
  next_.reset();
  done_ = nullptr;
  give_up_.reset();
  told_.clear();
  ++round_;
}

std::vector<std::string> NextKey::Lacking(bool here) const {
  std::vector<std::string> names;
  for (const auto& [name, record] : members_.records()) {
    const bool own = record.parent.empty() || record.parent == context_.membership.name;
    if (own && !told_.contains(name) && (!here || members_.Ready(name))) names.push_back(name);
  }
  return names;
}

std::vector<std::string> NextKey::WaitingFor() const { return next_ ? Lacking(true) : std::vector<std::string>(); }

std::vector<std::string> NextKey::Unheard() const { return next_ ? Lacking(false) : std::vector<std::string>(); }

void NextKey::Look() {
  const auto now = context_.clock.SteadyNow();
  const auto lacking = WaitingFor();
  if (lacking.empty() || (give_up_ && now >= *give_up_)) {
    if (const auto done = std::exchange(done_, nullptr)) done();
    return;
  }
  // Again with each heartbeat: what is lost costs one, and so does one that comes meanwhile.
  const milliseconds beat(std::max<std::int64_t>(context_.membership.settings.heartbeat_ms, 50));
  look_ = context_.timers.At(now + beat, [this] { Look(); });
  for (const auto& name : lacking) {
    const auto peer = members_.PeerOf(name);
    if (!peer) continue;
    context_.rpc.Call(
        *peer, api::verb::kTreeParentKey, ToJson(api::ParentKey{*next_}), kPatience,
        [this, name, round = round_, alive = std::weak_ptr(alive_)](const Result<wire::Envelope>& answer) {
          if (!alive.lock() || round != round_) return;
          if (!answer) {
            return log::Warn("a child has not taken the next key",
                             {{"cluster", name}, {"why", answer.error().message}});
          }
          told_.insert(name);
          if (!WaitingFor().empty()) return;
          context_.timers.Cancel(look_);
          look_ = context_.timers.At(context_.clock.SteadyNow(), [this] { Look(); });
        });
  }
}

Result<void> ListenAnew(Context& context) {
  for (const auto& endpoint : context.membership.listen)
    OTE_CHECK(context.transport.BindAs(endpoint, context.transport_key));
  return {};
}

}  // namespace ote::agent
