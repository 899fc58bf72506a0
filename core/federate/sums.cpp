// Has relays fold the updates of the sites behind them. Nothing that a relay says is believed that the root can check:
// the grid, the weights and the bounds of a sum are, and of a masked one how many are in it; and whatever a relay finds
// wrong in an update, the root fetches it and looks for itself.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/federate/relay_sum.h"
#include "core/federate/run_state.h"

namespace ote::federate {
namespace {

// So that what is asked of a relay fits a message.
constexpr std::size_t kMostInSum = 512;

// An update that so many sums were to bring, and did not, is fetched by itself.
constexpr int kMostSums = 3;

bool Refuses(const Site& site) noexcept { return site.dataset && site.dataset->fold == api::FoldPolicy::kRefuse; }

}  // namespace

bool RunMachine::State::Folds() const noexcept {
  return kept.run.spec.relays == api::RelayKind::kFold && kept.open && kept.open->Doing() == api::TaskKind::kTrain &&
         !strategy->NeedsAll() && !Buffered() && !Central();
}

const std::string& RunMachine::State::ViaOf(const Asked& asked) const {
  static const std::string kNone;
  const auto it = sites.find(asked.name);
  return it == sites.end() || it->second.by_hand || Refuses(it->second) ? kNone : it->second.via;
}

bool RunMachine::State::MayFold(const std::string& site) const {
  const auto it = sites.find(site);
  return it == sites.end() || !Refuses(it->second);
}

bool RunMachine::State::BySum(const Asked& asked) const {
  return Folds() && !asked.direct && (asked.in_sum != 0 || !ViaOf(asked).empty());
}

std::optional<Summing> RunMachine::State::EndSum(std::int64_t id) {
  const auto it = std::find_if(summing.begin(), summing.end(), [id](const Summing& s) { return s.id == id; });
  if (it == summing.end() || Over() || !kept.open) return std::nullopt;
  Summing asked_for = std::move(*it);
  summing.erase(it);
  for (const auto& item : asked_for.items) {
    Asked* asked = kept.open->Find(item.site);
    if (asked == nullptr) continue;
    asked->in_sum = 0;
    ++asked->sums;
  }
  return asked_for;
}

bool RunMachine::State::Holds() const {
  return std::any_of(kept.open->asked.begin(), kept.open->asked.end(),
                     [](const Asked& a) { return a.held && a.answer == Answer::kOffered; });
}

void RunMachine::State::StartSums() {
  const bool masks = Folds() && kept.open->masks;
  if (!Folds() || !(masks ? masked.has_value() : sum.has_value())) return;
  struct Group {
    std::vector<Asked*> ready;
    bool waits = false;
  };
  std::map<std::string, Group> groups;
  for (Asked& asked : kept.open->asked) {
    if (!asked.Open() || asked.direct || asked.in_sum != 0) continue;
    const std::string& via = ViaOf(asked);
    if (via.empty()) continue;
    if (asked.answer == Answer::kOffered && asked.sums >= kMostSums) {
      asked.direct = true;
      Tell("fold-given-up", asked.name, fmt::format("{} sums were to bring its update: it is fetched", asked.sums));
      continue;
    }
    if (asked.answer == Answer::kOffered) groups[via].ready.push_back(&asked);
    if (asked.answer == Answer::kPending && asked.reachable) groups[via].waits = true;
  }
  const bool late = now.steady >= deadline;
  for (auto& [via, group] : groups) {
    if (group.ready.empty() || (group.waits && !late)) continue;
    const bool busy =
        std::any_of(summing.begin(), summing.end(), [&via = via](const Summing& s) { return s.via == via; });
    if (busy) continue;
    if (group.ready.size() == 1) {
      group.ready.front()->direct = true;
      continue;
    }
    if (group.ready.size() > kMostInSum) group.ready.resize(kMostInSum);
    FetchSum wanted{++sums_asked, via, kept.open->round, FormOfUpdate(), {}, masks, {}};
    if (masks) {
      wanted.form.values = masked->count();
    } else {
      wanted.grid = sum->grid();
    }
    for (Asked* asked : group.ready) {
      asked->in_sum = wanted.id;
      // How many examples stand behind a masked update is in its values, and no concern of a relay.
      wanted.items.push_back({asked->name, asked->result.digest, asked->size, masks ? 1 : WeightOf(*asked)});
    }
    summing.push_back({wanted.id, via, wanted.items});
    announced.emplace_back(std::move(wanted));
  }
}

void RunMachine::State::FetchDirectly(const Summing& asked_for) {
  for (const auto& item : asked_for.items) {
    if (Asked* asked = kept.open->Find(item.site); asked != nullptr) asked->direct = true;
  }
}

void RunMachine::State::OnFetchedSum(const FetchedSum& fetched) {
  const auto asked_for = EndSum(fetched.id);
  if (!asked_for) return;
  if (fetched.folded.empty()) return FetchDirectly(*asked_for);
  if (const auto taken = TakeSum(*asked_for, fetched); !taken) {
    Tell("sum-refused", asked_for->via, CutText(taken.error().message));
    // One that has another update by now, or is gone, spoils the sum of the others, and that is no fault of the relay.
    if (taken.error().id != ErrorId::kRoundStale) FetchDirectly(*asked_for);
    return;
  }
  for (const auto& failed : fetched.failed) {
    Asked* asked = kept.open->Find(failed.site);
    if (asked == nullptr || asked->answer != Answer::kOffered) continue;
    // It ran out of time, and has more of it now that others are done.
    const bool late = failed.error.id == ErrorId::kTimedOut;
    if (!late) asked->direct = true;
    Tell("fold-failed", failed.site, fmt::format("{}: {}", asked_for->via, CutText(failed.error.message)));
  }
}

Result<void> RunMachine::State::TakeSum(const Summing& asked_for, const FetchedSum& fetched) {
  std::set<std::string_view> seen;
  std::vector<Asked*> folded;
  std::int64_t told = 0;    // of the weights, as the relay knows them
  std::int64_t weight = 0;  // the same, as they are
  for (const std::string& site : fetched.folded) {
    const auto item = std::find_if(asked_for.items.begin(), asked_for.items.end(),
                                   [&site](const FetchSum::Item& i) { return i.site == site; });
    if (item == asked_for.items.end() || !seen.insert(item->site).second) {
      return Fail(ErrorId::kUpdateUnasked, fmt::format("{} is in its sum, and was not asked for", CutText(site, 80)));
    }
    Asked* asked = kept.open->Find(site);
    const bool same = asked != nullptr && asked->answer == Answer::kOffered && !asked->direct &&
                      asked->result.digest == item->digest && asked->base == kept.open->round;
    if (!same) {
      return Fail(ErrorId::kRoundStale, fmt::format("{} is in its sum, and has another answer now", site));
    }
    folded.push_back(asked);
    told += item->weight;
    weight += WeightOf(*asked);
  }
  OTE_CHECK(kept.open->masks ? MergeSaved(*masked, fetched.sum, told, weight) : MergeSaved(*sum, fetched.sum, told));
  for (Asked* asked : folded) {
    Answered(*asked, Answer::kFolded);
    Tell("update-folded", asked->name, fmt::format("{} examples, by {}", asked->result.examples, asked_for.via));
  }
  // What went into it is not kept here, so that a restart needs the sum.
  Checkpoint();
  return {};
}

void RunMachine::State::OnSumFailed(const SumFailed& failed) {
  const auto asked_for = EndSum(failed.id);
  if (!asked_for) return;
  Tell("sum-failed", asked_for->via, CutText(failed.error.message));
  FetchDirectly(*asked_for);
}

}  // namespace ote::federate
