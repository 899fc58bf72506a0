#include "core/api/record.h"

namespace ote::api {

RecordEntry EndOf(const Run& run) {
  RecordEntry entry;
  entry.kind = EntryKind::kEnd;
  entry.at = run.finished_at;
  entry.end = RecordEnd{run.status, run.message.empty() ? run.stopped : run.message, run.model.digest,
                        static_cast<std::int64_t>(run.rounds.size()), run.resumed};
  return entry;
}

}  // namespace ote::api
