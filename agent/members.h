// Who is below this agent: its children, who answers and what they have, and those further down as the children tell.
// Serves member.*, tree.routes and cluster.*.
//
// A root keeps a record of every member of the tree. A relay keeps those of its own children; one that is there as a
// guest, because its own parent is lost, it has only as long as it stays.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/context.h"
#include "core/api/app_requests.h"
#include "core/api/page.h"
#include "core/api/requests.h"
#include "core/tree/routes.h"

namespace ote::agent {

class Members {
 public:
  explicit Members(Context& context);

  // Loads the members from the store and registers the verbs.
  Result<void> Start();

  // All members, this agent first; status as of now (unreachable after three heartbeats without a word).
  std::vector<api::Cluster> List() const;
  // Those that `sees` lets through, a page of them: in the order of names, this agent where its name stands. At most
  // api::kMostInPage, and no more than fit into one message; all of List in its order when the query has no limit.
  api::ClusterPage PageOf(const api::PageQuery& query, const Sees& sees) const;
  // Whether `sees` lets a cluster through, this agent among them; one that is not known only when it lets all through.
  bool Seen(const Sees& sees, const std::string& name) const;
  std::optional<api::Cluster> Find(const std::string& name) const;
  // What is kept of each but this agent, guests among them; how they are now only Find and List say.
  const std::map<std::string, api::Cluster>& records() const noexcept { return clusters_; }
  // nullptr when it is not known here. Valid until a member changes.
  const crypto::Certificate* CertificateOf(const std::string& name) const;
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
  // The child on the way to it, itself when it is one; "" when there is none.
  std::string ChildTowards(const std::string& name) const;

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

  // Where this agent stands in its tree; set by Node. A root leaves `path` empty and is rooted.
  struct TreeHooks {
    std::function<bool()> rooted;
    std::function<std::int64_t()> pulse;             // TrustNews::pulse
    std::function<std::vector<std::string>()> path;  // above this agent, the root first
    std::function<api::TreePlace(const std::string& child)> place;
    // Connections to `child`, or below it, that a later one has replaced: it is to be told.
    std::function<void(const std::string& child, const std::vector<api::Session>&)> stale;
  };
  void SetTree(TreeHooks hooks) { tree_ = std::move(hooks); }
  const tree::Routes& routes() const noexcept { return routes_; }
  // What the tier above is told of one below; nullopt when there is none of that name.
  std::optional<api::RouteEntry> EntryOf(const std::string& name) const;
  // The children that take children, as others are told of them.
  std::vector<api::ParentEntry> Takers() const;
  // Who may come though it is no child: their certificates are good (the caller checked them).
  void SetGuests(std::string_view source, const std::vector<crypto::Certificate>& certificates);
  // A connection to this agent, or below it, that a later one elsewhere has replaced.
  void Outdated(const api::Session& session);
  // Cuts off, and forgets, those whose certificates are void.
  Result<void> DropVoid(const std::vector<BigId>& serials);
  bool IsGuest(const std::string& name) const { return visiting_.contains(name); }
  // Here, or below one that is here, only because its own parent is lost, which is not below this agent: it does what
  // is asked of it by those above that parent, and by nobody here.
  bool IsOthers(const std::string& name) const;

  // Called when a member came, went, changed labels or data sets (`removed` false) or was removed.
  void OnChange(std::function<void(const api::Cluster&, bool removed)> fn) { listeners_.push_back(std::move(fn)); }

 private:
  struct Live {
    wire::PeerId peer;
    std::chrono::milliseconds heard{0};
    bool ready = false;
    std::int64_t epoch = 0;
    std::vector<std::string> endpoints;
  };
  api::Cluster Self() const;
  static api::Cluster Shown(api::Cluster cluster);
  void Index(const api::Cluster& cluster);
  void Unindex(const api::Cluster& cluster);
  // Whether its certificate has ended; cuts its connections if so.
  bool Ended(const api::Cluster& cluster);
  void Sweep();
  void Changed(const api::Cluster& cluster, bool removed = false);
  void Changed(const std::string& name);
  Result<void> Save(const api::Cluster& cluster);
  // The record with what is known of it now.
  api::Cluster AsOfNow(const api::Cluster& cluster) const;
  // The record of one that says hello: a guest's is made.
  Result<api::Cluster*> RecordOf(const wire::Caller& caller, const api::MemberHello& hello);
  Result<api::MemberWelcome> Hello(const Request& request, const api::MemberHello& hello);
  api::TrustNews NewsFor(const wire::Caller& caller, const api::TrustHeld& held);
  Result<api::TrustNews> Heartbeat(const Request& request, const api::TrustHeld& held);
  Result<api::Empty> TakeDatasets(const Request& request, const api::DatasetList& list);
  Result<api::Empty> TakeRoutes(const Request& request, const api::RouteChange& change);
  // Adds to `unsaved` whose record is to be written.
  bool Believed(const std::string& child, api::RouteEntry& entry, std::vector<api::Session>& stale,
                std::set<std::string>& unsaved);
  void Tell(const tree::Routes::Effect& effect);
  // Its connection is over: gone, or replaced.
  void Leave(const std::string& name);
  void LabelAsked(Request request);
  Result<api::Cluster> Label(const api::LabelRequest& request);
  Result<api::Cluster> Remove(const api::NameRequest& request);
  // Whether `name` joined below `relay`, wherever it hangs now; kPermission.
  Result<void> CheckHomeBelow(const std::string& name, const std::string& relay) const;
  Result<api::Cluster> Cordon(const api::CordonRequest& request);
  Result<void> LoadCordons();
  Result<void> SaveCordon(const std::string& name);

  Context& context_;
  std::map<std::string, api::Cluster> clusters_;  // by name, this agent excluded
  std::map<Bytes, Holder> by_key_;                // by transport key
  std::map<std::string, Live> live_;
  tree::Routes routes_;
  // Of those below that have no record here, and only as long as something is set.
  struct Cordoned {
    bool cordoned = false;
    bool drained = false;
  };
  std::map<std::string, Cordoned> cordons_;
  std::set<std::string> visiting_;  // guests that are in clusters_
  std::map<std::string, std::map<std::string, crypto::Certificate>, std::less<>> guests_;  // source -> name
  std::map<Bytes, Holder> guest_keys_;
  std::vector<std::function<void(const api::Cluster&, bool)>> listeners_;
  TrustHooks trust_;
  TreeHooks tree_;
};

}  // namespace ote::agent
