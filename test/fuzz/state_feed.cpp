// fuzz-link: ote_tree
//
// The input is the body of state.report. Whatever a child says of its sources, a mirror stays within its bounds, agrees
// with its own digest, and can be passed on whole.
#include "core/tree/state_feed.h"

#include <cstdlib>
#include <map>

namespace {

using ote::tree::StateFeed;
using ote::tree::StateSum;

void CheckMirror(const StateFeed& mirror) {
  StateSum sum;
  std::size_t graves = 0;
  for (const auto& key : mirror.Keys()) {
    const auto* entry = mirror.Find(key);
    if (entry->seq <= 0 || entry->seq > mirror.at()) std::abort();
    if (entry->gone) {
      ++graves;
    } else {
      sum.Add(key, entry->value);
    }
  }
  if (graves > StateFeed::kMostGraves || sum.Value() != mirror.Digest()) std::abort();
  StateFeed next;
  for (std::int64_t from = 0;;) {
    const auto took = next.Apply(mirror.Report("a", from, true, 100), nullptr);
    if (!took) std::abort();
    if (*took == StateFeed::Took::kWhole) break;
    if (*took != StateFeed::Took::kMore || next.Have() <= from) std::abort();
    from = next.Have();
  }
  if (next.Digest() != mirror.Digest() || next.at() != mirror.at()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto report = ote::FromCbor<ote::api::StateReport>(ote::ByteView(data, size));
  if (!report) return 0;
  std::map<std::string, StateFeed> mirrors;
  for (const auto& source : report->sources) {
    auto& mirror = mirrors[source.cluster];
    const auto at = mirror.at();
    const auto before = mirror.Digest();
    const auto took = mirror.Apply(source, nullptr);
    if (!took && (mirror.at() != at || mirror.Digest() != before)) std::abort();
    CheckMirror(mirror);
  }
  return 0;
}
