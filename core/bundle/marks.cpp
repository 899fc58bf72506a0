#include "core/bundle/marks.h"

#include <fmt/format.h>

#include <algorithm>

namespace ote::bundle {

Result<Seen> CheckMark(store::Store& store, const Checked& bundle) {
  const auto& header = bundle.header;
  OTE_TRY(const auto mark, store.Get<Mark>(Mark{header.issuer, header.stream, 0, {}}.Key()));
  if (!mark || header.sequence > mark->sequence) return Seen::kNever;
  if (bundle.digest == mark->digest) return Seen::kBefore;
  if (header.sequence == mark->sequence) {
    return Fail(ErrorId::kBundleReplaced, fmt::format("{}, number {} of {}: another one with this number was taken",
                                                      header.kind, header.sequence, header.issuer));
  }
  return Fail(ErrorId::kBundleStale, fmt::format("{}, number {} of {}: number {} was taken before it", header.kind,
                                                 header.sequence, header.issuer, mark->sequence));
}

Result<void> PutMark(store::Store& store, const Checked& bundle) {
  const auto& header = bundle.header;
  return store.Put(Mark{header.issuer, header.stream, header.sequence, bundle.digest});
}

Result<std::int64_t> HighestOf(store::Store& store, const std::string& issuer) {
  OTE_TRY(const auto marks, store.List<Mark>());
  std::int64_t highest = 0;
  for (const auto& mark : marks) {
    if (mark.issuer == issuer) highest = std::max(highest, mark.sequence);
  }
  return highest;
}

}  // namespace ote::bundle
