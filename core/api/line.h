// How far a cluster is from its parent, as it measures that itself.
#pragma once

#include <string>

#include "core/base/codec.h"

namespace ote::api {

struct LineStatus {
  std::string parent;              // whom it hangs on now
  std::int64_t round_trip_ms = 0;  // of a heartbeat, the shortest of the last few

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("parent", self.parent, kRequired);
    v("roundTripMs", self.round_trip_ms, kRequired);
  }
};

}  // namespace ote::api
