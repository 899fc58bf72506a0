// The audit of an agent: who asked for what, and how it ended. In the store, each entry with the digest of the one
// before, so that one that was changed or taken out shows; a row beside them holds the newest, so that a cut end shows.
//
// It is bounded: beyond kMost entries the oldest make room, a block at a time, and are counted (the number of the
// oldest that is kept says how many). Who can write to the store can also write a new chain: what has to outlive that
// is to be read out and kept elsewhere (ote cluster audit -o json).
#pragma once

#include <string>

#include "core/api/audit.h"
#include "core/store/store.h"

namespace ote::agent {

class Audit {
 public:
  static constexpr std::int64_t kMost = 20'000;
  static constexpr std::int64_t kBlock = 1'000;

  explicit Audit(store::Store& store, std::int64_t most = kMost, std::int64_t block = kBlock)
      : store_(store), most_(most), block_(block) {}

  // Gives it a number and its place in the chain; on disk when it returns. What cannot be written is counted, and told
  // in the log: the request is not undone for it.
  void Write(api::AuditEntry entry);
  // Counts one that is not written.
  void Skip() noexcept { ++unwritten_; }
  Result<api::AuditList> Read(const api::AuditQuery& query);

 private:
  Result<void> Append(api::AuditEntry& entry);

  store::Store& store_;
  std::int64_t most_;
  std::int64_t block_;
  std::int64_t unwritten_ = 0;
};

}  // namespace ote::agent
