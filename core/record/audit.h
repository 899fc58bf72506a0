// A whole record, audited: what `ote fl verify` tells.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/record/remake.h"
#include "core/record/verify.h"

namespace ote::record {

// An entry that holds.
struct AuditedEntry {
  std::int64_t entry = 0;
  std::string kind;
  std::optional<std::int64_t> round;
  UnixMillis at = 0;
  std::vector<std::string> clusters;  // whose answers are in it
  std::string model;                  // that it made, or ends with
  std::string digest;                 // of the entry
  std::string version;                // of the ote that wrote it
  std::string result;                 // "holds", "recomputed", "not recomputable"
  std::string why;                    // it is not

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("entry", self.entry);
    v("kind", self.kind);
    v("round", self.round);
    v("at", self.at);
    v("clusters", self.clusters);
    v("model", self.model);
    v("digest", self.digest);
    v("version", self.version);
    v("result", self.result);
    v("why", self.why);
  }
};

struct Audit {
  std::string run;
  bool holds = false;
  std::string status;  // "running", or how the run ended
  std::string head;    // digest of the last entry that holds: what tells one record of a run from a later one
  std::int64_t recomputed = 0;
  std::vector<AuditedEntry> entries;  // up to the first that does not hold
  std::optional<Error> broken;        // kRecordBroken: that one, or the seal

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run);
    v("holds", self.holds);
    v("status", self.status);
    v("head", self.head);
    v("recomputed", self.recomputed);
    v("entries", self.entries);
  }
};

// Plays `file` under the authority of this fingerprint, and makes again what it tells of where `artifacts` are given
// and hold what that takes. With `dropped`, the run kept what it took, and that was removed on purpose: what is missing
// is no damage. An error is of the line to the artifacts; that the record does not hold is a result.
Result<Audit> AuditFile(ByteView file, const crypto::Fingerprint& authority, const federate::ArtifactReader* read,
                        bool dropped = false);

}  // namespace ote::record
