// What a root keeps about members that are reached by files: the grants and tasks that it gave out, and the updates
// that it took, by run, round, step, site and nonce.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/by_hand.h"
#include "core/bundle/bodies.h"

namespace ote::agent {

// The newest grant of a member.
struct HandGrant {
  static constexpr std::string_view kKind = "hand-grant";
  std::string cluster;
  std::string request;  // digest of the bundle that it answers
  std::int64_t sequence = 0;
  UnixMillis created = 0;
  BigId serial;                  // of the certificate in it
  std::int64_t revocations = 0;  // number of the list in it

  std::string Key() const { return cluster; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("request", self.request, kRequired);
    v("sequence", self.sequence, kRequired);
    v("created", self.created, kRequired);
    v("serial", self.serial);
    v("revocations", self.revocations);
  }
};

}  // namespace ote::agent
