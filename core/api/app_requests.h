// The bodies of app.* and cluster.cordon.
#pragma once

#include <string>
#include <vector>

#include "core/api/app_record.h"
#include "core/api/requests.h"

namespace ote::api {

struct CordonRequest {
  std::string name;
  bool cordoned = false;
  bool drained = false;  // cordoned as well

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("cordoned", self.cordoned);
    v("drained", self.drained);
  }
};

struct DeployRequest {
  AppSpec spec;
  std::string note;
  std::string request_id;
  std::string over;  // "FROM/APP": runs in place of what a tier above deployed here; "" for an app of this agent's own

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("spec", self.spec, kRequired);
    v("note", self.note);
    v("requestId", self.request_id);
    v("over", self.over);
  }
};
struct RollbackRequest {
  std::string name;
  std::int64_t to = 0;  // 0: the last revision that was healthy before this one
  std::string request_id;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("to", self.to);
    v("requestId", self.request_id);
  }
};
struct AppTarget {
  std::string name;
  std::vector<std::string> clusters;  // restart: only there; empty for all
  std::string request_id;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("clusters", self.clusters);
    v("requestId", self.request_id);
  }
};

// app.show. With a limit the clusters come in pages, by name and with all that is known of them.
struct AppShowRequest {
  std::string name;
  std::string after;       // `next` of the page before
  std::int64_t limit = 0;  // 0: one answer, with as many clusters as fit

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("after", self.after);
    v("limit", self.limit);
  }
};

// An app on one cluster: what is wanted there, and what it tells.
struct AppSiteView {
  std::string cluster;
  SitePhase phase = SitePhase::kWaiting;
  std::int64_t revision = 0;  // that it was last told to run
  bool online = false;
  std::string message;
  std::optional<AppStatus> status;  // the last that is known of it
  bool by_hand = false;             // it is reached by files
  bool carry = false;               // and waits for one: ote app export
  UnixMillis as_of = 0;             // when it wrote the receipt that the status is of, by its own clock; 0 for none

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("phase", self.phase);
    v("revision", self.revision);
    v("online", self.online);
    v("message", self.message);
    v("status", self.status);
    v("byHand", self.by_hand);
    v("carry", self.carry);
    v("asOf", self.as_of);
  }
};
struct RevisionView {
  std::int64_t number = 0;
  std::string digest;
  std::string by;
  UnixMillis at = 0;
  std::string note;
  RevisionOutcome outcome = RevisionOutcome::kRolling;
  std::string message;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("number", self.number, kRequired);
    v("digest", self.digest);
    v("by", self.by);
    v("at", self.at);
    v("note", self.note);
    v("outcome", self.outcome);
    v("message", self.message);
  }
};
// Counts of clusters.
struct AppCounts {
  std::int64_t wanted = 0;
  std::int64_t healthy = 0;
  std::int64_t pending = 0;
  std::int64_t failed = 0;
  std::int64_t carry = 0;  // of those that are pending: those that wait for a file to be carried to them

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("wanted", self.wanted);
    v("healthy", self.healthy);
    v("pending", self.pending);
    v("failed", self.failed);
    v("carry", self.carry);
  }
  friend bool operator==(const AppCounts&, const AppCounts&) = default;
};
// How many of the clusters that have an app are in the scope of who asked: what was done, or is shown, concerns those.
struct AppShare {
  std::int64_t in_scope = 0;
  std::int64_t of = 0;
  std::string who;  // the operator

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("inScope", self.in_scope);
    v("of", self.of);
    v("operator", self.who);
  }
};
struct AppView {
  std::string name;
  std::string from;           // the tier above that deployed it; "" for this agent's own
  std::int64_t revision = 0;  // that is wanted
  RolloutPhase phase = RolloutPhase::kRolling;
  std::string message;
  bool already = false;  // the request changed nothing: it holds already
  bool removed = false;
  AppCounts counts;
  std::optional<AppSpec> spec;  // of that revision, without secrets
  std::vector<RevisionView> revisions;
  std::vector<AppSiteView> clusters;  // by name
  std::int64_t omitted = 0;           // clusters that do not fit into one answer: healthy ones first
  std::vector<SiteChange> history;    // from a tier above: what became of it here
  std::optional<std::string> next;    // of a page of `clusters`: to ask with for more
  std::optional<AppShare> share;      // for an operator with a scope

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("from", self.from);
    v("revision", self.revision);
    v("phase", self.phase);
    v("message", self.message);
    v("already", self.already);
    v("removed", self.removed);
    v("counts", self.counts);
    v("spec", self.spec);
    v("revisions", self.revisions);
    v("clusters", self.clusters);
    v("omitted", self.omitted);
    v("history", self.history);
    v("next", self.next);
    v("share", self.share);
  }
  const RevisionView* Find(std::int64_t number) const {
    const auto it = std::find_if(revisions.begin(), revisions.end(), [&](const auto& r) { return r.number == number; });
    return it == revisions.end() ? nullptr : &*it;
  }
};
using AppList = ListOf<AppView>;  // without specs, clusters and history

struct ScorePart {
  std::string name;
  double value = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("value", self.value);
  }
};
struct PlacementDecision {
  std::string cluster;
  bool chosen = false;
  bool kept = false;  // it has the app already
  bool online = false;
  bool by_hand = false;              // what it has room for is not known: its own shim says so
  std::vector<std::string> against;  // each reason why it cannot take it, or why others were taken
  double score = 0;
  std::vector<ScorePart> parts;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("chosen", self.chosen);
    v("kept", self.kept);
    v("online", self.online);
    v("byHand", self.by_hand);
    v("against", self.against);
    v("score", self.score);
    v("parts", self.parts);
  }
};
struct AppPlan {
  std::string app;
  std::int64_t wanted = 0;  // clusters; 0: each that matches
  std::int64_t chosen = 0;
  bool changes = true;                   // false: it is deployed like that already
  std::vector<PlacementDecision> items;  // by cluster
  std::int64_t omitted = 0;              // that do not fit into one answer: none that is chosen, where that can be

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("app", self.app, kRequired);
    v("wanted", self.wanted);
    v("chosen", self.chosen);
    v("changes", self.changes);
    v("items", self.items);
    v("omitted", self.omitted);
  }
};
struct ClusterDiff {
  std::string cluster;
  std::string text;  // "" for no difference
  std::string error;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("text", self.text);
    v("error", self.error);
  }
};
struct AppDiff {
  std::string app;
  std::string spec;  // lines with + and -, against the newest revision; "" for no difference
  std::vector<ClusterDiff> clusters;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("app", self.app, kRequired);
    v("spec", self.spec);
    v("clusters", self.clusters);
  }
};

struct AppLogsRequest {
  std::string app;
  std::string cluster;  // "" for all that have it
  std::string replica;  // "" for all
  std::int64_t tail = 100;
  bool follow = false;
  std::string reader;  // between agents: goes on with what was begun; "" begins
  bool close = false;  // between agents: nobody reads any more

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("app", self.app, kRequired);
    v("cluster", self.cluster);
    v("replica", self.replica);
    v("tail", self.tail);
    v("follow", self.follow);
    v("reader", self.reader);
    v("close", self.close);
  }
};
struct AppLogLine {
  UnixMillis at = 0;
  std::string cluster;
  std::string replica;
  std::string text;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("at", self.at);
    v("cluster", self.cluster);
    v("replica", self.replica);
    v("text", self.text);
  }
};
// Between agents: the answer to an app.logs that a parent sends.
struct AppLogChunk {
  std::vector<AppLogLine> lines;
  std::string reader;  // to ask with for more; "" when there is none
  std::int64_t dropped = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("lines", self.lines);
    v("reader", self.reader);
    v("dropped", self.dropped);
  }
};

}  // namespace ote::api
