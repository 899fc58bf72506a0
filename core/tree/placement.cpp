#include "core/tree/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "core/tree/selector.h"
#include "crypto/digest.h"

namespace ote::tree {
namespace {

constexpr std::string_view kLatencyLabel = "ote/latency-ms";
constexpr std::string_view kCostLabel = "ote/cost";

struct Terms {
  std::optional<Selector> selector;
  std::vector<Selector> constraints;
  std::vector<Selector> prefer;
};

Result<Terms> ReadTerms(const api::PlacementSpec& placement) {
  Terms terms;
  if (placement.selector == "*") {
    terms.selector = Selector::All();
  } else if (!placement.selector.empty()) {
    OTE_TRY(terms.selector, Selector::Parse(placement.selector));
  }
  for (const auto& text : placement.constraints) {
    OTE_TRY(auto constraint, Selector::Parse(text));
    terms.constraints.push_back(std::move(constraint));
  }
  for (const auto& preference : placement.prefer) {
    OTE_TRY(auto prefer, Selector::Parse(preference.selector));
    terms.prefer.push_back(std::move(prefer));
  }
  return terms;
}

bool Needs(const api::Workload& workload) {
  const auto& r = workload.resources;
  return workload.manifests.empty() && (r.cpu_milli > 0 || r.memory > 0 || r.disk > 0 || r.accelerators > 0);
}

bool Within(const api::Capacity& need, const api::Capacity& held) {
  if (need.cpu_milli > held.cpu_milli || need.memory > held.memory || need.disk > held.disk) return false;
  return std::all_of(need.accelerators.begin(), need.accelerators.end(), [&](const auto& entry) {
    const auto it = held.accelerators.find(entry.first);
    return it != held.accelerators.end() && entry.second <= it->second;
  });
}

std::uint64_t Rendezvous(const std::string& app, const std::string& cluster) {
  const auto digest = crypto::DigestOf(AsBytes(app + "\n" + cluster));
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) value = value << 8 | digest.bytes[static_cast<std::size_t>(i)];
  return value;
}

// The share of what is scarcest that is used, 0 to 1; 0 when nothing is known.
double UsedShare(const Candidate& c) {
  double share = 0;
  const auto take = [&share](std::int64_t used, std::int64_t all) {
    if (all > 0) share = std::max(share, std::clamp(double(used) / double(all), 0.0, 1.0));
  };
  take(c.used.cpu_milli, c.capacity.cpu_milli);
  take(c.used.memory, c.capacity.memory);
  take(c.used.disk, c.capacity.disk);
  return share;
}

// 100 for 0, 50 for `half`, towards 0; of the label, else what was measured. 0 without either, or for what is no
// number.
double Falling(const Candidate& c, std::string_view label, std::optional<double> measured, double half) {
  std::optional<double> value = measured;
  if (const auto it = c.labels.find(std::string(label)); it != c.labels.end()) {
    char* end = nullptr;
    value = std::strtod(it->second.c_str(), &end);
    if (end == it->second.c_str()) return 0;
  }
  if (!value || !std::isfinite(*value) || *value < 0) return 0;
  return 100 * half / (half + *value);
}

struct Scored {
  const Candidate* candidate = nullptr;
  api::PlacementDecision decision;
  std::uint64_t tie = 0;
};

void Score(const api::AppSpec& spec, const Terms& terms, Scored& scored) {
  const auto& c = *scored.candidate;
  auto& parts = scored.decision.parts;
  switch (spec.placement.strategy) {
    case api::PlacementStrategy::kSpread:
      parts.push_back({"free", 100 * (1 - UsedShare(c))});
      break;
    case api::PlacementStrategy::kBinpack:
      parts.push_back({"used", 100 * UsedShare(c)});
      break;
    case api::PlacementStrategy::kLatency:
      parts.push_back({"latency", Falling(c, kLatencyLabel, c.round_trip_ms, 50)});
      break;
    case api::PlacementStrategy::kCost:
      parts.push_back({"cost", Falling(c, kCostLabel, std::nullopt, 1)});
      break;
  }
  for (std::size_t i = 0; i < terms.prefer.size(); ++i) {
    if (!terms.prefer[i].Matches(c.name, c.labels)) continue;
    parts.push_back({terms.prefer[i].Text(), double(spec.placement.prefer[i].weight)});
  }
  for (const auto& part : parts) scored.decision.score += part.value;
  scored.tie = Rendezvous(spec.name, c.name);
}

// Why it cannot have the app at all; empty when it can.
std::vector<std::string> Against(const api::AppSpec& spec, const Terms& terms, const Candidate& c) {
  std::vector<std::string> against;
  const auto& p = spec.placement;
  const bool named = std::find(p.clusters.begin(), p.clusters.end(), c.name) != p.clusters.end();
  if (!named && !(terms.selector && terms.selector->Matches(c.name, c.labels))) {
    against.push_back(p.selector.empty() ? "it is not named" : "the selector does not match: " + p.selector);
  }
  for (const auto& constraint : terms.constraints) {
    if (!constraint.Matches(c.name, c.labels)) against.push_back("constraint: " + constraint.Text());
  }
  if (c.drained) {
    against.emplace_back("it is drained");
  } else if (c.cordoned && !c.has_app) {
    against.emplace_back("it is cordoned");
  }
  if (!c.shim && !c.has_app && !c.by_hand) against.emplace_back("it has no shim, or has not told of one yet");
  if (p.replicas && c.lost) against.emplace_back("it is away for longer than replaceAfter");
  if (p.replicas && !c.ready && !c.has_app && !(c.by_hand && named)) {
    against.emplace_back(c.by_hand ? "it is reached by files, and not named" : "it is away");
  }
  // What runs already has its room; nothing moves because a report is late or counts otherwise.
  const bool fits_as_it_is = c.has_app && (!c.shim || Within(NeedOf(spec.workload), c.held));
  if (!fits_as_it_is && !(c.by_hand && !c.shim) && Needs(spec.workload)) {
    if (auto why = NoRoom(spec.workload, c); !why.empty()) against.push_back(std::move(why));
  }
  return against;
}

}  // namespace

api::Capacity NeedOf(const api::Workload& workload) {
  api::Capacity need;
  if (!workload.manifests.empty()) return need;
  const auto& r = workload.resources;
  const auto n = workload.replicas;
  need.cpu_milli = r.cpu_milli * n;
  need.memory = r.memory * n;
  need.disk = r.disk * n;
  if (r.accelerators > 0) need.accelerators[r.accelerator] = r.accelerators * n;
  return need;
}

std::string NoRoom(const api::Workload& workload, const Candidate& candidate) {
  const auto need = NeedOf(workload);
  const auto short_of = [](std::string_view what, std::int64_t wanted, std::int64_t all, std::int64_t used) {
    if (wanted <= 0 || (used <= all && wanted <= all - used)) return std::string();
    return fmt::format("{}: {} wanted, {} free", what, wanted, std::max<std::int64_t>(all - used, 0));
  };
  const auto& all = candidate.capacity;
  const auto& used = candidate.used;
  if (auto why = short_of("cpu (m)", need.cpu_milli, all.cpu_milli, used.cpu_milli); !why.empty()) return why;
  if (auto why = short_of("memory", need.memory, all.memory, used.memory); !why.empty()) return why;
  if (auto why = short_of("disk", need.disk, all.disk, used.disk); !why.empty()) return why;
  for (const auto& [kind, count] : need.accelerators) {
    std::int64_t most = 0;
    for (const auto& [has, number] : all.accelerators) {
      if (!kind.empty() && kind != has) continue;
      const auto taken = used.accelerators.find(has);
      most = std::max(most, number - (taken == used.accelerators.end() ? 0 : taken->second));
    }
    if (count > most) {
      return fmt::format("accelerator{}{}: {} wanted, {} free", kind.empty() ? "" : " ", kind, count, most);
    }
  }
  return {};
}

Result<Placement> Place(const api::AppSpec& spec, const std::vector<Candidate>& candidates) {
  OTE_TRY(const auto terms, ReadTerms(spec.placement));
  std::vector<Scored> all;
  for (const auto& candidate : candidates) {
    Scored scored;
    scored.candidate = &candidate;
    scored.decision.cluster = candidate.name;
    scored.decision.online = candidate.ready;
    scored.decision.by_hand = candidate.by_hand;
    scored.decision.against = Against(spec, terms, candidate);
    Score(spec, terms, scored);
    all.push_back(std::move(scored));
  }
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.decision.cluster < b.decision.cluster; });

  std::vector<Scored*> able;
  for (auto& scored : all) {
    if (scored.decision.against.empty()) able.push_back(&scored);
  }
  const auto take = [](Scored& scored) {
    scored.decision.chosen = true;
    scored.decision.kept = scored.candidate->has_app;
  };
  if (!spec.placement.replicas) {
    for (auto* scored : able) take(*scored);
  } else {
    const auto& by = spec.placement.spread_by;
    const auto group = [&by](const Scored& scored) {
      const auto it = scored.candidate->labels.find(by);
      return by.empty() || it == scored.candidate->labels.end() ? std::string() : it->second;
    };
    std::map<std::string, std::int64_t> in_group;
    for (auto left = *spec.placement.replicas; left > 0; --left) {
      Scored* best = nullptr;
      const auto rank = [&](const Scored& s) {
        return std::make_tuple(s.candidate->has_app ? 0 : 1, by.empty() ? 0 : in_group[group(s)], -s.decision.score,
                               s.tie);
      };
      for (auto* scored : able) {
        if (scored->decision.chosen) continue;
        if (best == nullptr || rank(*scored) < rank(*best)) best = scored;
      }
      if (best == nullptr) break;
      take(*best);
      ++in_group[group(*best)];
    }
    for (auto* scored : able) {
      if (!scored->decision.chosen) scored->decision.against.emplace_back("others come before it");
    }
  }
  Placement placement;
  for (auto& scored : all) {
    if (scored.decision.chosen) placement.chosen.push_back(scored.decision.cluster);
    placement.decisions.push_back(std::move(scored.decision));
  }
  return placement;
}

}  // namespace ote::tree
