#include "agent/watch/tally.h"

#include <algorithm>

namespace ote::agent {
namespace {

constexpr std::size_t kMostRounds = 256;  // that are open at once; more than any root drives

}  // namespace

void Tally::Answered(std::string_view verb, const ErrorId* error, std::chrono::milliseconds took) {
  auto it = verbs_.find(verb);
  if (it == verbs_.end()) it = verbs_.emplace(std::string(verb), Verb{}).first;
  Verb& counts = it->second;
  counts.seconds.Add(std::chrono::duration<double>(took).count());
  if (error == nullptr) {
    ++counts.ok;
    return;
  }
  switch (InfoOf(*error).exit) {
    case Exit::kUsage:
    case Exit::kRefused:
    case Exit::kConflict:
    case Exit::kNotFound:
    case Exit::kVerification:
      ++counts.refused;
      break;
    default:
      ++counts.failed;
  }
}

void Tally::Happened(const std::string& run, std::string_view kind, UnixMillis at) {
  if (kind == "update-folded") {
    ++updates_;
  } else if (kind == "round-started") {
    if (round_began_.size() >= kMostRounds) round_began_.erase(round_began_.begin());
    round_began_[run] = at;
  } else if (kind == "round-finished") {
    const auto node = round_began_.extract(run);
    if (!node.empty()) rounds_.Add(static_cast<double>(std::max<UnixMillis>(at - node.mapped(), 0)) / 1000);
  } else if (kind.starts_with("run-") && kind != "run-paused" && kind != "run-resumed") {
    round_began_.erase(run);
  }
}

void Tally::AddTo(Families& out) const {
  Family requests{"ote_rpc_requests_total", "Requests answered, by verb and outcome.", FamilyKind::kCounter, {}, {}};
  Family seconds{"ote_rpc_seconds", "From a request to its last answer, by verb.", FamilyKind::kHistogram, {}, {}};
  for (const auto& [verb, counts] : verbs_) {
    const auto add = [&, &name = verb](const char* outcome, std::uint64_t value) {
      requests.values.push_back({{{"verb", name}, {"outcome", outcome}}, static_cast<double>(value)});
    };
    add("ok", counts.ok);
    add("refused", counts.refused);
    add("failed", counts.failed);
    seconds.spreads.push_back({{{"verb", verb}}, counts.seconds});
  }
  out.push_back(std::move(requests));
  out.push_back(std::move(seconds));
  Family rounds{"ote_round_seconds", "How long rounds of runs took, at their root.", FamilyKind::kHistogram, {}, {}};
  rounds.spreads.push_back({{}, rounds_});
  out.push_back(std::move(rounds));
  out.push_back(Counter("ote_updates_accepted_total", "Updates of sites that were folded into a round.",
                        static_cast<double>(updates_)));
}

}  // namespace ote::agent
