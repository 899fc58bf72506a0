// The children of this agent: who is there, who answers, what they have. Serves member.* and cluster.*.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/context.h"
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
  // The member whose links use this key.
  std::optional<std::string> NameOf(const Bytes& transport_key) const;
  // The connection of a member that is ready.
  std::optional<wire::PeerId> PeerOf(const std::string& name) const;
  bool Ready(const std::string& name) const;

  // Keeps what enrolment made (durable before it returns).
  Result<void> Admit(const api::Cluster& cluster);
  // Any message is a sign of life; called by Node for each.
  void Heard(wire::PeerId peer, const wire::Caller& caller);

  // Called when a member came, went, changed labels or data sets (`removed` false) or was removed.
  void OnChange(std::function<void(const api::Cluster&, bool removed)> fn) { listeners_.push_back(std::move(fn)); }

 private:
  struct Live {
    wire::PeerId peer;
    std::chrono::milliseconds heard{0};
    bool ready = false;
  };
  void Index(const api::Cluster& cluster);
  void Sweep();
  void Changed(const api::Cluster& cluster, bool removed = false);
  Result<void> Save(const api::Cluster& cluster);
  Result<api::MemberWelcome> Hello(const Request& request, const api::MemberHello& hello);
  Result<api::Cluster> Label(const api::LabelRequest& request);
  Result<api::Cluster> Remove(const api::NameRequest& request);

  Context& context_;
  std::map<std::string, api::Cluster> clusters_;  // by name, this agent excluded
  std::map<Bytes, std::string> by_key_;           // transport key to name
  std::map<std::string, Live> live_;
  std::vector<std::function<void(const api::Cluster&, bool)>> listeners_;
  std::function<Result<void>(BigId serial)> revoke_;

 public:
  // How a removed member's certificate is voided; set by Node.
  void SetRevoke(std::function<Result<void>(BigId)> revoke) { revoke_ = std::move(revoke); }
};

}  // namespace ote::agent
