// The children of this agent: who is there, who answers, what they have. Serves member.* and cluster.*.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/context.h"
#include "core/api/app_requests.h"
#include "core/api/requests.h"

namespace ote::agent {

class Members {
 public:
  explicit Members(Context& context);

  // Loads the members from the store and registers the verbs.
  Result<void> Start();

  // All members, this agent first; status as of now (unreachable after three heartbeats without a word).
  std::vector<api::Cluster> List() const;
  std::optional<api::Cluster> Find(const std::string& name) const;
  // Whose connections use this key, by which certificate; nullptr when nobody's. Valid until a member changes.
  struct Holder {
    std::string name;
    BigId serial;
    UnixMillis expires_at = 0;
  };
  const Holder* HolderOf(const Bytes& transport_key) const;
  // The connection of a member that is ready.
  std::optional<wire::PeerId> PeerOf(const std::string& name) const;
  bool Ready(const std::string& name) const;
  // The way to any cluster below, at whatever depth, that is ready.
  std::optional<Destination> WayTo(const std::string& name) const;
  // Whether `name` is `child` or below it: whom the child may speak for.
  bool IsBelow(const std::string& child, const std::string& name) const;

  // Keeps what enrolment made (durable before it returns).
  Result<void> Admit(const api::Cluster& cluster);
  // Keeps a change of certificates, which concerns nobody else (durable before it returns).
  Result<void> Keep(const api::Cluster& cluster);
  // Forgets a member, and cuts its connections.
  Result<void> Drop(const std::string& name);
  // Any message is a sign of life; called by Node for each. False when the caller is a member no longer, or its
  // certificate has ended since it connected: it is cut off then, and the message is not to be handled.
  bool Heard(wire::PeerId peer, const wire::Caller& caller);

  // What the root does about certificates; set by Node.
  struct TrustHooks {
    // Voids those of a member that is removed.
    std::function<Result<void>(const api::Cluster&)> revoke;
    // What a member holds, with its hello and its heartbeats, and what is newer.
    std::function<api::TrustNews(const wire::Caller&, const api::TrustHeld&)> heard;
  };
  void SetTrust(TrustHooks hooks) { trust_ = std::move(hooks); }

  // Called when a member came, went, changed labels or data sets (`removed` false) or was removed.
  void OnChange(std::function<void(const api::Cluster&, bool removed)> fn) { listeners_.push_back(std::move(fn)); }

 private:
  struct Live {
    wire::PeerId peer;
    std::chrono::milliseconds heard{0};
    bool ready = false;
  };
  void Index(const api::Cluster& cluster);
  // Whether its certificate has ended; cuts its connections if so.
  bool Ended(const api::Cluster& cluster);
  void Sweep();
  void Changed(const api::Cluster& cluster, bool removed = false);
  Result<void> Save(const api::Cluster& cluster);
  Result<api::MemberWelcome> Hello(const Request& request, const api::MemberHello& hello);
  Result<api::Cluster> Label(const api::LabelRequest& request);
  Result<api::Cluster> Remove(const api::NameRequest& request);
  Result<api::Cluster> Cordon(const api::CordonRequest& request);

  Context& context_;
  std::map<std::string, api::Cluster> clusters_;  // by name, this agent excluded
  std::map<Bytes, Holder> by_key_;                // by transport key
  std::map<std::string, Live> live_;
  std::vector<std::function<void(const api::Cluster&, bool)>> listeners_;
  TrustHooks trust_;
};

}  // namespace ote::agent
