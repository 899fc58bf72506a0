// What the tiers of a tree tell each other: who is below whom, the way up, and where else to go.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/cluster.h"

namespace ote::api {

// One that takes children: where, and by which key it proves itself.
struct ParentEntry {
  std::string name;
  std::vector<std::string> endpoints;  // in the order to try
  Bytes transport_key;
  std::int64_t cost = 0;  // the lowest is tried first

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("endpoints", self.endpoints, kRequired);
    v("transportKey", self.transport_key, kRequired);
    v("cost", self.cost);
  }
  friend bool operator==(const ParentEntry&, const ParentEntry&) = default;
};

// One connection of a cluster to a parent. `epoch` grows with each, so that of two the later one counts.
struct Session {
  std::string name;
  std::int64_t epoch = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("epoch", self.epoch, kRequired);
  }
  friend bool operator==(const Session&, const Session&) = default;
};

// A cluster below, as the tier above it tells it further up.
struct RouteEntry {
  Cluster cluster;  // with its certificate; `via` is the one that it hangs on now
  std::int64_t epoch = 0;
  std::vector<std::string> endpoints;  // where it takes children itself

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("epoch", self.epoch);
    v("endpoints", self.endpoints);
  }
};
// Changes of who is below the sender, in the order in which they happened. The first after a hello is `whole`: what it
// and those up to `more` = false do not name is there no longer.
struct RouteChange {
  bool whole = false;
  bool more = false;
  std::vector<RouteEntry> set;
  std::vector<std::string> gone;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("whole", self.whole);
    v("more", self.more);
    v("set", self.set);
    v("gone", self.gone);
  }
};

// What a parent tells a child of its place: the way up, where else it could go, and who else may come to it.
struct TreePlace {
  std::vector<std::string> path;            // names from the root down to the sender
  std::optional<ParentEntry> self;          // the sender
  std::optional<ParentEntry> grandparent;   // the sender's own parent
  std::vector<ParentEntry> uncles;          // the sender's siblings that are meant for this child
  std::vector<ParentEntry> siblings;        // the sender's other children that take children
  std::vector<crypto::Certificate> guests;  // clusters that may come to this child when theirs is lost
  std::vector<Session> stale;               // connections to this child, or below it, that a later one replaced

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("path", self.path);
    v("self", self.self);
    v("grandparent", self.grandparent);
    v("uncles", self.uncles);
    v("siblings", self.siblings);
    v("guests", self.guests);
    v("stale", self.stale);
  }
};

struct CertificateNews {
  crypto::Certificate certificate;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("certificate", self.certificate, kRequired);
  }
};

// A cluster in the tree as it is now.
struct TreeNode {
  Cluster cluster;
  std::string via;  // whom it hangs on now; "" for the one that answers
  std::int64_t depth = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("via", self.via);
    v("depth", self.depth);
  }
};
struct TreeView {
  std::vector<std::string> path;  // above the one that answers, the root first
  bool rooted = true;
  std::vector<TreeNode> items;  // depth first, names in order

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("path", self.path);
    v("rooted", self.rooted);
    v("items", self.items);
  }
};

}  // namespace ote::api
