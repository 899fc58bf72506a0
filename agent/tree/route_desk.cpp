#include "agent/tree/route_desk.h"

#include <utility>

#include "core/base/log.h"

namespace ote::agent {
namespace {

constexpr std::size_t kBatch = 200;  // certificates and data sets included it stays well below the limit of a message
constexpr int kMostInFlight = 8;
constexpr std::chrono::milliseconds kPatience{30'000};

}  // namespace

void RouteDesk::Start() {
  uplink_.OnConnected([this] { Begin(); });
  members_.OnChange([this](const api::Cluster& cluster, bool) {
    feed_.Touch(cluster.name);
    Send();
  });
}

void RouteDesk::Begin() {
  std::set<std::string> all;
  for (const auto& cluster : members_.List()) all.insert(cluster.name);
  all.erase(context_.membership.name);
  feed_.Begin(std::move(all));
  ++*session_;
  in_flight_ = 0;
  Send();
}

void RouteDesk::Send() {
  while (uplink_.Connected() && feed_.HasNews() && in_flight_ < kMostInFlight) {
    const auto batch = feed_.Take(kBatch);
    api::RouteChange change{batch.whole, batch.more, {}, {}};
    for (const auto& name : batch.names) {
      if (auto entry = members_.EntryOf(name)) {
        change.set.push_back(std::move(*entry));
      } else {
        change.gone.push_back(name);
      }
    }
    ++in_flight_;
    uplink_.Call(api::verb::kTreeRoutes, ToJson(change), kPatience,
                 [this, session = *session_, now = std::weak_ptr<int>(session_)](const Result<wire::Envelope>& answer) {
                   const auto count = now.lock();
                   if (!count || *count != session) return;
                   --in_flight_;
                   if (answer) return Send();
                   // Lost with the line, or refused by one that was restarted: the next hello begins anew.
                   log::Debug("routes not told", {{"why", answer.error().message}});
                   if (uplink_.Connected() && answer.error().id == ErrorId::kTimedOut) Begin();
                 });
  }
}

}  // namespace ote::agent
