// The highest number that was taken of each issuer and stream, on disk: what tells an old bundle from a new one where
// no clock can be trusted.
#pragma once

#include <string>

#include "core/bundle/header.h"
#include "core/store/store.h"

namespace ote::bundle {

struct Mark {
  static constexpr std::string_view kKind = "bundle-mark";
  std::string issuer;
  std::string stream;
  std::int64_t sequence = 0;
  std::string digest;  // of the bundle with that number

  std::string Key() const { return issuer + "/" + stream; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("issuer", self.issuer, kRequired);
    v("stream", self.stream, kRequired);
    v("sequence", self.sequence, kRequired);
    v("digest", self.digest, kRequired);
  }
};

enum class Seen { kNever, kBefore };
// Whether it is new, or the very one that was taken last. kBundleStale when it is older, kBundleReplaced when it has
// the same number as another one.
Result<Seen> CheckMark(store::Store& store, const Checked& bundle);
// To be called in the transaction that takes the bundle.
Result<void> PutMark(store::Store& store, const Checked& bundle);
// The highest number of the issuer in all of its streams; 0 for none.
Result<std::int64_t> HighestOf(store::Store& store, const std::string& issuer);

}  // namespace ote::bundle
