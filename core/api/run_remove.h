// The bodies of fl.remove.
#pragma once

#include <string>

#include "core/base/codec.h"

namespace ote::api {

struct RunRemoveRequest {
  std::string name;      // id or name of a run that is over
  bool updates = false;  // only what its record keeps to make its aggregates again
  bool dry_run = false;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("updates", self.updates);
    v("dryRun", self.dry_run);
  }
};
// What went, or, of a dry run, would go.
struct RunRemoved {
  std::string id;
  std::string name;
  bool updates = false;
  std::int64_t artifacts = 0;
  std::int64_t bytes = 0;  // of these
  std::int64_t rows = 0;   // of the store
  bool already = false;    // there was nothing to remove
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("id", self.id, kRequired);
    v("name", self.name);
    v("updates", self.updates);
    v("artifacts", self.artifacts);
    v("bytes", self.bytes);
    v("rows", self.rows);
    v("already", self.already);
  }
};

}  // namespace ote::api
