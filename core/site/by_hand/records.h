// What a site that is reached by files keeps of those that it made.
#pragma once

#include <string>
#include <vector>

#include "core/api/cluster.h"
#include "core/base/codec.h"

namespace ote::site {

// Numbers of what this cluster sends, whatever the stream.
inline constexpr std::string_view kSentNumbers = "hand-sent";

// The request that was written last. Before the grant, this is all that tells the name of the cluster.
struct HandRequest {
  static constexpr std::string_view kKind = "hand-request";
  static constexpr std::size_t kMostAsked = 16;
  std::string name;
  api::Labels labels;
  std::string body;  // digest of what it says
  std::int64_t sequence = 0;
  UnixMillis created = 0;
  std::vector<std::string> asked;  // digests of the requests that were written, the newest last

  std::string Key() const { return "own"; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("labels", self.labels);
    v("body", self.body, kRequired);
    v("sequence", self.sequence, kRequired);
    v("created", self.created, kRequired);
    v("asked", self.asked);
  }
};

}  // namespace ote::site
