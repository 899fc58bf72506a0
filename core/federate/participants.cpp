#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "core/federate/plan.h"
#include "core/federate/run_state.h"
#include "core/learn/classes.h"
#include "core/learn/model.h"
#include "core/tree/selector.h"
#include "crypto/digest.h"

namespace ote::federate {
namespace {

crypto::Digest HashOf(std::string_view domain, std::int64_t run_seed, std::int64_t round, std::string_view site) {
  std::string text(domain);
  for (const std::int64_t number : {run_seed, round}) {
    for (int shift = 0; shift < 64; shift += 8) {
      text.push_back(static_cast<char>((static_cast<std::uint64_t>(number) >> shift) & 0xff));
    }
  }
  text.append(site);
  return crypto::DigestOf(AsBytes(text));
}

bool Contains(const std::vector<std::string>& names, std::string_view name) noexcept {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Labels are compared as labels, also one that is called "name".
class Chosen {
 public:
  explicit Chosen(const api::SiteSelector& selector) : labels_(selector.labels) {
    if (!selector.text) return;
    auto parsed = tree::Selector::Parse(*selector.text);
    selector_ = parsed ? std::move(*parsed) : tree::Selector();  // CheckPlan took it: never in the second way
  }
  bool Holds(const Site& site) const {
    if (selector_) return selector_->Matches(site.name, site.labels);
    return std::all_of(labels_.begin(), labels_.end(), [&site](const auto& label) {
      const auto it = site.labels.find(label.first);
      return it != site.labels.end() && it->second == label.second;
    });
  }

 private:
  const api::Labels& labels_;
  std::optional<tree::Selector> selector_;
};

bool IsEligible(const api::RunSpec& spec, const Chosen& chosen, const Site& site) {
  if (!site.dataset || site.dataset->name != spec.dataset) return false;
  if (site.dataset->train_rows < 1 || site.dataset->train_rows > kMaxRows || site.dataset->test_rows < 0) return false;
  if (!spec.sites.clusters.empty() && !Contains(spec.sites.clusters, site.name)) return false;
  return chosen.Holds(site);
}

}  // namespace

BigId SiteSeed(std::int64_t run_seed, std::int64_t round, std::string_view site) {
  const crypto::Digest digest = HashOf("ote-site-seed-v1", run_seed, round, site);
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = (value << 8) | digest.bytes[static_cast<std::size_t>(i)];
  return BigId{value};
}

std::string DrawRank(std::int64_t run_seed, std::int64_t round, std::string_view site) {
  return HashOf("ote-draw-v1", run_seed, round, site).Hex();
}

std::vector<std::string> UniteClasses(const std::vector<const Site*>& sites) {
  std::set<std::string> names;
  for (const Site* site : sites) names.insert(site->dataset->class_names.begin(), site->dataset->class_names.end());
  std::vector<std::string> out(names.begin(), names.end());
  learn::SortClasses(out);
  return out;
}

std::string ListNames(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 10;
  std::string out;
  const std::size_t shown = std::min(names.size(), kShown);
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) out += i + 1 == names.size() ? " and " : ", ";
    out += names[i];
  }
  if (names.size() > shown) out += fmt::format(" and {} more", names.size() - shown);
  return out;
}

std::string CutText(std::string_view text, std::size_t limit) {
  std::string out(text.substr(0, limit));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return out;
}

api::SiteFailure FailureOf(const std::string& site, std::string_view phase, const Error& error) {
  return {site, CutText(phase, 40), error.Code(), CutText(error.message, kLongestReason), CutText(error.hint)};
}

std::vector<const Site*> Eligible(const api::RunSpec& spec, const std::vector<Site>& sites) {
  std::vector<const Site*> out;
  const Chosen chosen(spec.sites.selector);
  for (const Site& site : sites) {
    if (IsEligible(spec, chosen, site)) out.push_back(&site);
  }
  std::sort(out.begin(), out.end(), [](const Site* a, const Site* b) { return a->name < b->name; });
  return out;
}

bool RunMachine::State::Fits(const Site& site) {
  const api::DatasetSummary& data = *site.dataset;
  std::string why;
  if (data.features != kept.raw_features || data.schema != kept.schema) {
    why = fmt::format("its data set {} has other columns than the run", data.name);
  } else if (kept.run.spec.task == api::DataTask::kClustering) {
    // The labels are passed over.
  } else if ((data.classes == 0) != kept.run.classes.empty()) {
    why = fmt::format("its data set {} is for another task", data.name);
  } else {
    for (const std::string& name : data.class_names) {
      if (!Contains(kept.run.classes, name)) why = fmt::format("the run does not know its class {}", CutText(name, 80));
    }
  }
  if (why.empty()) {
    unfit_told.erase(site.name);
    return true;
  }
  if (unfit_told.insert(site.name).second) Tell("site-unfit", site.name, std::move(why));
  return false;
}

void RunMachine::State::WidenClasses() {
  api::Run& run = kept.run;
  // A model that is given, and weights of classes that were surveyed, are for the classes that they are for.
  if (run.classes.empty() || !run.from_digest.empty() || !run.preparation.Empty()) return;
  std::set<std::string> names(run.classes.begin(), run.classes.end());
  const Chosen chosen(run.spec.sites.selector);
  for (const auto& [name, site] : sites) {
    if (!IsEligible(run.spec, chosen, site)) continue;
    const api::DatasetSummary& data = *site.dataset;
    if (data.features != kept.raw_features || data.schema != kept.schema) continue;
    names.insert(data.class_names.begin(), data.class_names.end());
  }
  if (names.size() == run.classes.size() || names.size() > learn::kMaxClasses) return;
  const std::vector<std::string> narrow = run.classes;
  run.classes.assign(names.begin(), names.end());
  learn::SortClasses(run.classes);
  if (kept.surveyed) {
    const std::string old = run.model.digest;
    if (!MakeFirstModel(nullptr)) {
      run.classes = narrow;
      return;
    }
    DropUnlessNeeded(old);
    EnterModel(nullptr);
  }
  save = true;
  Tell("classes-added", "", fmt::format("the clusters have {} classes together", run.classes.size()));
}

Result<void> RunMachine::State::MakeFirstModel(const ModelFile* from) {
  api::Run& run = kept.run;
  const bool classifies = run.spec.task == api::DataTask::kClassification;
  const learn::Shape shape{run.features, classifies ? static_cast<std::int64_t>(run.classes.size()) : 1};
  OTE_TRY(auto made, learn::MakeModel(run.spec.model, shape, run.spec.task));
  OTE_CHECK(CheckLayers(run.spec.personalization, made->GetLayout()));
  maker = std::move(made);
  model = from != nullptr ? from->values : maker->Init(static_cast<std::uint64_t>(run.spec.seed));
  run.planned_rounds = maker->Rounds(run.spec.rounds);
  strategy_state.resize(static_cast<std::size_t>(strategy->StateVectors()) * model.size());
  strategy->Begin(strategy_state);
  SetModelFile();
  kept.surveyed = true;
  save = true;
  return {};
}

std::vector<const Site*> RunMachine::State::PoolFor(std::int64_t round) {
  std::vector<std::pair<std::string, const Site*>> ranked;
  const Chosen chosen(kept.run.spec.sites.selector);
  for (const auto& [name, site] : sites) {
    if (!IsEligible(kept.run.spec, chosen, site) || !Fits(site)) continue;
    ranked.emplace_back(DrawRank(kept.run.spec.seed, round, name), &site);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<const Site*> out;
  out.reserve(ranked.size());
  for (const auto& [rank, site] : ranked) out.push_back(site);
  return out;
}

std::vector<const Site*> RunMachine::State::Pool() { return PoolFor(kept.open ? kept.open->round : 0); }

void RunMachine::State::Ask(const Site& site) {
  OpenRound& open = *kept.open;
  Asked asked;
  asked.name = site.name;
  asked.train_rows = site.dataset->train_rows;
  asked.test_rows = site.dataset->test_rows;
  asked.result.name = site.name;
  asked.base = open.round;
  asked.model = kept.run.model.digest;
  asked.reachable = site.reachable;
  // One that missed the last round does not hold up this one as long: staying away costs one deadline, not one a round.
  asked.by_hand = site.by_hand && !Contains(kept.missed, site.name);
  const auto at = std::lower_bound(open.asked.begin(), open.asked.end(), site.name,
                                   [](const Asked& a, const std::string& name) { return a.name < name; });
  const auto placed = open.asked.insert(at, std::move(asked));
  std::erase(open.excused, site.name);
  save = true;
  if (site.reachable) SendTo(*placed);
}

void RunMachine::State::AskAnew(Asked& asked) {
  asked.base = kept.open->round;
  asked.model = kept.run.model.digest;
  if (asked.reachable) SendTo(asked);
}

double RunMachine::State::RateOf(std::int64_t round) const noexcept {
  const api::TrainSpec& training = kept.run.spec.training;
  // Before the first round, when statistics are asked for, and after the last, when the model is measured, the schedule
  // may have nothing left; sites refuse settings that cannot be, whatever they are asked for.
  constexpr double kLeast = 1e-12;
  return std::max(kLeast, training.learning_rate * api::ScheduleFactor(training.schedule, round, Planned()));
}

void RunMachine::State::SendTo(Asked& asked) {
  const OpenRound& open = *kept.open;
  const api::Run& run = kept.run;
  api::Task task;
  task.run = run.id;
  task.round = open.round;
  task.stage = open.Stage();
  task.kind = open.Doing();
  if (open.masks) task.masks = MaskPart(asked.name);
  task.dataset = run.spec.dataset;
  task.task = run.spec.task;
  task.model = run.spec.model;
  task.training = run.spec.training;
  task.training.learning_rate = RateOf(open.round);
  task.trainer = run.spec.trainer;
  task.privacy = PrivacyOfTask();
  // A site is told so of its own update only.
  if (Folds() && MayFold(asked.name)) task.relays = api::RelayKind::kFold;
  const bool trains = task.kind == api::TaskKind::kTrain;
  if (trains && run.spec.compression.kind != api::CompressionKind::kNone) task.compression = run.spec.compression;
  if (open.kind == api::TaskKind::kSurvey) {
    task.survey = run.spec.prepare;
  } else {
    task.preparation = run.preparation;
    task.local = strategy->Plan();
    task.local.personal = run.spec.personalization;
    if (task.local.control) {
      task.local.control_digest = kept.strategy;
      task.local.control_size = kept.strategy_size;
    }
  }
  task.features = run.features;
  task.classes = run.classes;
  task.model_digest = run.model.digest;
  task.model_size = run.model.size;
  task.seed = SiteSeed(run.spec.seed, open.round, asked.name);
  task.deadline =
      now.wall + std::max<std::int64_t>(0, ((asked.by_hand ? hand_deadline : deadline) - now.steady).count());
  asked.task = api::TaskDigest(task);
  announced.emplace_back(SendTask{asked.name, std::move(task)});
  Tell("task-sent", asked.name, std::string(NameOf(open.Doing())));
}

std::int64_t RunMachine::State::TopUp(std::int64_t able) {
  OpenRound& open = *kept.open;
  std::int64_t spare = 0;
  for (const Site* site : Pool()) {
    if (open.Find(site->name) != nullptr) continue;
    if (site->reachable && able + spare < Minimum() && RoomFor(*site) >= 0) {
      Ask(*site);
      Tell("site-asked", site->name, "asked in place of another");
      ++able;
    } else {
      ++spare;
    }
  }
  return spare;
}

// A capacity counts examples, or parts of them.
std::int64_t RunMachine::State::RoomFor(const Site& site) const {
  std::int64_t total = site.dataset->train_rows;
  for (const Asked& asked : kept.open->asked) total += asked.train_rows;
  return kept.open->capacity / (Buffered() ? kFresh : 1) - total;
}

std::string RunMachine::State::Missing(bool past_deadline) {
  const std::vector<const Site*> pool = Pool();
  std::int64_t there = 0;
  std::vector<std::string> waiting;
  for (const Site* site : pool) {
    const Asked* asked = kept.open ? kept.open->Find(site->name) : nullptr;
    const bool done = asked != nullptr && asked->answer == Answer::kFolded;
    const bool lost = asked != nullptr && !asked->Open() && !done;
    if (lost) continue;
    const bool counts =
        done || (site->reachable && !past_deadline) || (asked != nullptr && asked->answer == Answer::kOffered);
    if (counts) {
      ++there;
    } else {
      waiting.push_back(site->name);
    }
  }
  for (const std::string& name : kept.run.spec.sites.clusters) {
    const bool known = std::any_of(pool.begin(), pool.end(), [&name](const Site* s) { return s->name == name; });
    if (!known) waiting.push_back(name);
  }
  std::sort(waiting.begin(), waiting.end());
  std::string out = fmt::format("needs {} cluster{}, {} {}", Minimum(), Minimum() == 1 ? "" : "s", there,
                                past_deadline ? (there == 1 ? "has answered" : "have answered")
                                              : (there == 1 ? "is reachable" : "are reachable"));
  if (!waiting.empty()) return out + "; waiting for " + ListNames(waiting);
  return out + fmt::format("; no other cluster has the data set {}", kept.run.spec.dataset);
}

void RunMachine::State::OnSite(const Site& site) {
  Site& known = sites[site.name];
  const bool came = site.reachable && !known.reachable;
  const bool went = !site.reachable && known.reachable;
  known = site;
  if (Over() || !kept.open) return;
  OpenRound& open = *kept.open;
  Asked* asked = open.Find(site.name);
  if (asked != nullptr) {
    asked->reachable = site.reachable;
    asked->by_hand = site.by_hand && !Contains(kept.missed, site.name);
    if (came) asked->fetches_failed = 0;
    if (went && asked->Open()) Tell("site-lost", site.name, "no longer reachable");
    if (came && asked->Open()) Tell("site-back", site.name, "reachable again");
    // One that is at work for an older round has its task, or gets it from where that was sent.
    if (site.reachable && asked->answer == Answer::kPending && asked->base == open.round) SendTo(*asked);
    return;
  }
  const bool may_join = open.Doing() == (Masked() ? api::TaskKind::kMaskKeys : api::TaskKind::kTrain);
  if (site.reachable && Contains(open.excused, site.name) && may_join && !PastDeadline()) {
    if (IsEligible(kept.run.spec, Chosen(kept.run.spec.sites.selector), site) && Fits(site)) {
      if (RoomFor(site) < 0) return;
      Tell("site-back", site.name, "reachable again, and asked");
      Ask(known);
    }
  }
}

void RunMachine::State::OnRemoved(const std::string& name) {
  sites.erase(name);
  unfit_told.erase(name);
  std::erase(kept.missed, name);
  std::erase_if(kept.in_flight, [&name](const Asked& asked) { return asked.name == name; });
  if (Over() || !kept.open) return;
  std::erase(kept.open->excused, name);
  Asked* asked = kept.open->Find(name);
  if (asked == nullptr) return;
  asked->reachable = false;
  if (asked->Open()) {
    asked->error = "no longer a member";
    Answered(*asked, Answer::kRemoved);
    Tell("site-removed", name, "no longer a member");
  }
}

}  // namespace ote::federate
