// Makes a record: entry after entry, each chained to the one before it and signed.
#pragma once

#include <string>
#include <vector>

#include "core/record/entry.h"

namespace ote::record {

// Where a record ends; what is needed to go on.
struct Head {
  std::string run;
  std::int64_t entries = 0;
  std::string last;                       // FrameDigest
  Bytes authority;                        // that it knows
  std::vector<std::string> certificates;  // that it has, by digest

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("entries", self.entries, kRequired);
    v("last", self.last, kRequired);
    v("authority", self.authority);
    v("certificates", self.certificates);
  }
};

// Who writes.
struct Signer {
  const crypto::SigningKey& key;
  const crypto::Certificate& certificate;
  const Bytes& authority;
  const std::vector<crypto::Succession>& successions;  // of the tree, how the authority came to be it
};

// The frame of the next entry; `head` is moved on. Of the certificates that the entry brings, those that the record has
// are left out.
Bytes Append(Head& head, api::RecordEntry entry, const Signer& signer);
// The seal of the record as it ends now.
Bytes Seal(const Head& head, const Signer& signer);

}  // namespace ote::record
