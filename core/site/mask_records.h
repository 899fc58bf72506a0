// What a site keeps for masked rounds, in its store: written with the answer that depends on it, in one transaction, so
// that after a crash it still knows what it has given.
#pragma once

#include <string>

#include "core/base/codec.h"
#include "core/base/result.h"
#include "core/store/store.h"

namespace ote::site {

struct MaskRecord {
  static constexpr std::string_view kKind = "site-masks";
  std::string run;
  Bytes masks;  // CBOR of federate::SiteMasks

  std::string Key() const { return run; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("masks", self.masks);
  }
};

// Empty when nothing is kept.
Result<Bytes> LoadMasks(store::Store& store, const std::string& run);
Result<void> PutMasks(store::Store& store, const std::string& run, const Bytes& masks);
// Rounds up to `round` are over: their secrets are overwritten, and the number of the last that shares were given for
// stays.
Result<void> CloseMasks(store::Store& store, const std::string& run, std::int64_t round);

}  // namespace ote::site
