// A round under secure aggregation, step by step. core/federate/masks knows what each is for; here stands who is asked,
// who is waited for, and when the round moves on.
//
// A step is over when all that are reachable have answered, or its deadline has passed; who has not answered then is in
// none of the later ones. While nothing has been unmasked, a round that cannot be finished with those that are left is
// tried anew, with fresh keys. From then on its sites give shares for this one list of survivors only: the run waits
// for those whose shares are missing, and names them.
#include <fmt/format.h>

#include <algorithm>

#include "core/base/units.h"
#include "core/federate/masks/quantise.h"
#include "core/federate/masks/side.h"
#include "core/federate/run_state.h"
#include "crypto/digest.h"

namespace ote::federate {
namespace {

using K = api::TaskKind;

constexpr std::int64_t kMostTries = 8;
constexpr std::int64_t kStages = 8;  // more than there are steps

std::int64_t PlaceOf(K step) noexcept {
  switch (step) {
    case K::kMaskKeys:
      return 0;
    case K::kMaskShares:
      return 1;
    case K::kMaskConsent:
      return 3;
    case K::kMaskUnmask:
      return 4;
    default:
      return 2;
  }
}

std::set<std::string> SetOf(const std::vector<std::string>& names) { return {names.begin(), names.end()}; }
std::vector<std::string> ListOf(const std::set<std::string>& names) { return {names.begin(), names.end()}; }

struct Turnout {
  std::set<std::string> answered;
  std::set<std::string> possible;  // those, and all that may still answer
  bool waits = false;              // for one that is reachable
};

Turnout CountStep(const OpenRound& open) {
  Turnout out;
  for (const Asked& asked : open.asked) {
    if (asked.answer == Answer::kFolded) out.answered.insert(asked.name);
    if (asked.answer == Answer::kFolded || asked.Open()) out.possible.insert(asked.name);
    out.waits = out.waits || (asked.Open() && asked.reachable);
  }
  return out;
}

}  // namespace

std::int64_t MaskedRound::Stage() const noexcept { return attempt * kStages + PlaceOf(step); }

std::map<std::string, std::string>* MaskedRound::Answers() noexcept {
  switch (step) {
    case K::kMaskKeys:
      return &keys;
    case K::kMaskShares:
      return &deals;
    case K::kMaskConsent:
      return &consents;
    case K::kMaskUnmask:
      return &shares;
    default:
      return nullptr;
  }
}

std::vector<std::string> MaskedRound::Artifacts() const {
  std::vector<std::string> out;
  for (const auto* answers : {&keys, &deals, &consents, &shares}) {
    for (const auto& [site, digest] : *answers) out.push_back(digest);
  }
  return out;
}

MaskTry RunMachine::State::Try() const {
  return {kept.run.id, kept.open->round, kept.open->masks->attempt, kept.run.spec.masks};
}

api::MaskTask RunMachine::State::MaskPart(const std::string& site) const {
  const MaskedRound& masks = *kept.open->masks;
  switch (masks.step) {
    case K::kMaskShares:
      return mask_root->ForShares(site);
    case K::kTrain:
    case K::kEvaluate:
      return mask_root->ForTraining(site, masks.exponent);
    case K::kMaskConsent:
      return mask_root->ForConsent();
    case K::kMaskUnmask:
      return mask_root->ForUnmask();
    default: {
      api::MaskTask task;
      task.attempt = masks.attempt;
      task.spec = kept.run.spec.masks;
      return task;
    }
  }
}

void RunMachine::State::BeginMasks() {
  const std::int64_t attempt = kept.open->masks ? kept.open->masks->attempt + 1 : 1;
  kept.open->masks.emplace();
  kept.open->masks->attempt = attempt;
  mask_keys.clear();
  mask_root.reset();
  masked.reset();
  unmasking = false;
}

void RunMachine::State::DropMaskArtifacts() {
  if (!kept.open || !kept.open->masks) return;
  // Each is one site's own answer: no other run needs it.
  for (std::string& digest : kept.open->masks->Artifacts()) announced.emplace_back(DropArtifact{std::move(digest)});
  mask_keys.clear();
  mask_root.reset();
  masked.reset();
  unmasking = false;
}

void RunMachine::State::NextStep(K step, const std::set<std::string>& names) {
  OpenRound& open = *kept.open;
  const K before = open.Doing();
  open.masks->step = step;
  deadline = now.steady + StepLength();
  save = true;
  fetching.clear();
  summing.clear();
  Tell("step-started", "", fmt::format("{} with {} clusters", NameOf(step), names.size()));
  for (Asked& asked : open.asked) {
    const bool had_part = asked.Open() || asked.answer == Answer::kFolded;
    asked.ask_again.reset();
    asked.direct = asked.held = false;
    asked.in_sum = 0;
    asked.sums = 0;
    if (names.count(asked.name) != 0) {
      if (asked.answer != Answer::kRemoved) asked.answer = Answer::kPending;
      if (asked.answer == Answer::kPending && asked.reachable) SendTo(asked);
    } else if (had_part) {
      Tell("site-left-out", asked.name,
           asked.Open() ? fmt::format("no answer to {} in time", NameOf(before))
                        : fmt::format("too few of its neighbours answered to {}", NameOf(before)));
      asked.answer = Answer::kLeft;
    }
  }
}

void RunMachine::State::GiveUp(const std::string& why) {
  if (!kept.open->Measures()) return End(api::RunStatus::kFailed, fmt::format("{}: {}", RoundName(*kept.open), why));
  Tell("model-not-measured", "", why);
  Complete("the finished model was not measured: " + why);
}

void RunMachine::State::TryAnew(const std::string& why) {
  OpenRound& open = *kept.open;
  if (open.Measures()) return GiveUp(why);
  if (open.masks->attempt >= kMostTries) {
    return End(api::RunStatus::kFailed,
               fmt::format("{}: {}, in the last of {} tries", RoundName(open), why, kMostTries));
  }
  Tell("round-tried-anew", "", why);
  DropMaskArtifacts();
  for (const Spooled& spooled : std::exchange(open.spooled, {})) DropUnlessNeeded(spooled.digest);
  DropUnlessNeeded(std::exchange(open.checkpoint, {}));
  spooled_bytes = 0;
  BeginMasks();
  std::set<std::string> left;
  for (Asked& asked : open.asked) {
    const bool out =
        asked.answer == Answer::kFailed || asked.answer == Answer::kRefused || asked.answer == Answer::kRemoved;
    if (out) continue;
    asked.result = {};
    asked.result.name = asked.name;
    left.insert(asked.name);
  }
  NextStep(K::kMaskKeys, left);
}

void RunMachine::State::BeginShares() {
  auto made = RootMasks::Make(Try(), mask_keys, limits.members);
  if (!made) return GiveUp(made.error().message);
  mask_root.emplace(std::move(*made));
  mask_keys.clear();
  NextStep(K::kMaskShares, SetOf(mask_root->Roster()));
}

void RunMachine::State::BeginTraining(const std::set<std::string>& names) {
  OpenRound& open = *kept.open;
  mask_root->Train(names);
  open.masks->trains = ListOf(names);
  // Of the grid and not of those that happen to be there: the same sites make the same model, whoever else was asked.
  // With noise each site counts once, and as much room again is for the noise (CheckPlan bounds it).
  const std::int64_t weights = Private() ? 2 * kMostMasked : open.capacity;
  const auto exponent = ChooseMaskExponent(weights, kMostMasked, kept.run.spec.masks.bound, *ChooseGrid(open.capacity));
  if (!exponent) return GiveUp(exponent.error().message);
  open.masks->exponent = *exponent;
  masked.emplace(static_cast<std::size_t>(UpdateBytes()) / sizeof(std::uint32_t));
  NextStep(open.kind, names);
}

bool RunMachine::State::StepMasked() {
  OpenRound& open = *kept.open;
  MaskedRound& masks = *open.masks;
  Turnout turnout = CountStep(open);
  const bool few = std::cmp_less(turnout.possible.size(), MaskedMinimum());
  if (masks.step == K::kMaskKeys && few && !open.Measures()) {
    TopUp(static_cast<std::int64_t>(turnout.possible.size()));
    turnout = CountStep(open);
  }
  const bool time = PastDeadline() || !turnout.waits;
  const auto enough = [&](const std::set<std::string>& names) {
    return std::cmp_greater_equal(names.size(), MaskedMinimum());
  };
  const auto stays = [&](bool late) {
    const auto answered = turnout.answered.size();
    if (open.Measures() && PastDeadline()) {  // a model that stands does not wait
      GiveUp(fmt::format("{}: {} of {} clusters have answered", NameOf(masks.step), answered, open.asked.size()));
      return true;
    }
    if (open.Measures()) {
      UpdateStatus(false, fmt::format("measuring the finished model: {}: {} of {} clusters have answered",
                                      NameOf(masks.step), answered, turnout.possible.size()));
    } else if (late) {
      UpdateStatus(true, fmt::format("{}: {}: {}", RoundName(open), NameOf(masks.step), Missing(PastDeadline())));
    } else {
      UpdateStatus(false, fmt::format("round {} of {}: {}: {} of {} clusters have answered", open.round, Planned(),
                                      NameOf(masks.step), answered, turnout.possible.size()));
    }
    return false;
  };
  switch (masks.step) {
    case K::kMaskKeys: {
      if (enough(turnout.answered) && time) {
        BeginShares();
        return true;
      }
      const Tally tally = Count();
      const bool spare =
          std::any_of(sites.begin(), sites.end(), [&](const auto& s) { return open.Find(s.first) == nullptr; });
      if (!enough(turnout.possible) && tally.first_failed != nullptr && (!spare || open.Measures())) {
        GiveUp(fmt::format("{}; {} of the {} clusters needed are left", FailedText(*tally.first_failed),
                           turnout.possible.size(), MaskedMinimum()));
        return true;
      }
      return stays(time);
    }
    case K::kMaskShares: {
      const std::set<std::string> dealt = mask_root->Dealt();
      const bool fit = enough(dealt) && dealt.size() >= mask_root->plan().quorum;
      if (fit && time) {
        BeginTraining(dealt);
        return true;
      }
      if (time && (PastDeadline() || turnout.possible.size() == turnout.answered.size())) {
        TryAnew(
            fmt::format("{} clusters dealt shares, and {} are needed", dealt.size(),
                        std::max<std::size_t>(mask_root->plan().quorum, static_cast<std::size_t>(MaskedMinimum()))));
        return true;
      }
      return stays(time);
    }
    case K::kTrain:
    case K::kEvaluate: {
      const bool all = turnout.answered.size() == turnout.possible.size();
      const bool late = PastDeadline() && !Holds();
      if (enough(turnout.answered) && mask_root->Enough(turnout.answered) && (all || late)) {
        masks.survivors = ListOf(turnout.answered);
        mask_root->Close(turnout.answered);
        NextStep(K::kMaskConsent, turnout.answered);
        return true;
      }
      if (!enough(turnout.possible) || !mask_root->Enough(turnout.possible)) {
        TryAnew(fmt::format("{} clusters are left to train, too few to unmask their sum", turnout.possible.size()));
        return true;
      }
      return stays(late || !turnout.waits);
    }
    case K::kMaskConsent:
      if (mask_root->Agreed() && time) {
        NextStep(K::kMaskUnmask, SetOf(masks.survivors));
        return true;
      }
      if (turnout.possible.size() < mask_root->plan().quorum) {
        TryAnew(fmt::format("{} clusters are left to agree on the sum, and {} are needed", turnout.possible.size(),
                            mask_root->plan().quorum));
        return true;
      }
      return stays(time);
    default:
      if (!unmasking && mask_root->CanUnmask() && !BeginUnmasking()) return true;
      if (unmasking) {
        const auto what =
            open.Measures() ? "measuring the finished model" : fmt::format("round {} of {}", open.round, Planned());
        UpdateStatus(false, fmt::format("{}: unmasking the sum of {} clusters", what, masks.survivors.size()));
        return false;
      }
      if (turnout.possible.size() == turnout.answered.size()) {
        GiveUp(fmt::format(
            "the sum cannot be unmasked without {}, and clusters give shares for one list of survivors in a round",
            ListNames(mask_root->Lacking())));
        return true;
      }
      if (time && !open.Measures()) {
        UpdateStatus(true, fmt::format("{}: {}: waiting for {}", RoundName(open), NameOf(masks.step),
                                       ListNames(mask_root->Lacking())));
        return false;
      }
      return stays(time);
  }
}

// A second to many seconds of work, in which the driver has other things to do. A root that is killed on the way asks
// for it again.
bool RunMachine::State::BeginUnmasking() {
  auto removal = mask_root->Removal();
  if (!removal) {
    GiveUp(removal.error().message);
    return false;
  }
  unmasking = true;
  save = true;  // with the shares that are here no site need be asked again
  announced.emplace_back(Unmask{++unmasks, std::make_shared<const MaskRemoval>(std::move(*removal)),
                                std::make_shared<MaskedSum>(std::move(*masked))});
  masked.reset();
  return true;
}

void RunMachine::State::OnUnmasked(const Unmasked& unmasked) {
  if (Over() || !unmasking || unmasked.id != unmasks) return;
  unmasking = false;
  if (unmasked.failed || unmasked.sum == nullptr) {
    return GiveUp(unmasked.failed ? unmasked.failed->message : "there is no sum");
  }
  CloseMasked(*unmasked.sum);
}

void RunMachine::State::CloseMasked(const MaskedSum& whole) {
  OpenRound& open = *kept.open;
  const auto unmasked = [&]() -> Result<void> {
    const std::size_t count = whole.count() - MaskSideWords();
    OTE_TRY(const MaskSide side, TakeMaskSide(whole.values().subspan(count), whole.updates()));
    open.masks->metrics = side.metrics;
    open.masks->personal = side.personal;
    if (open.Measures()) return {};
    sum.emplace(count, *ChooseGrid(open.capacity));
    OTE_CHECK(sum->FoldUnits(whole.values().first(count), static_cast<int>(open.masks->exponent), whole.weight()));
    const std::int64_t values = static_cast<std::int64_t>(count) * whole.updates();
    Tell("sum-unmasked", "",
         fmt::format("of {} clusters, training loss {:.4g}{}", whole.updates(), side.train_loss,
                     side.cut == 0 ? ""
                                   : fmt::format("; {} of {} values were beyond secureAggregation.bound and cut",
                                                 side.cut, values)));
    return {};
  }();
  if (!unmasked) return GiveUp(unmasked.error().message);
  // Whose updates are in the sum took part, whatever became of them since.
  for (const std::string& name : open.masks->survivors) {
    if (Asked* asked = open.Find(name)) asked->answer = Answer::kFolded;
  }
  open.Measures() ? Finish() : CloseTraining();
}

Result<void> RunMachine::State::LoadMasks() {
  MaskedRound& masks = *kept.open->masks;
  const auto read = [this](const std::string& digest) -> Result<Bytes> {
    auto bytes = artifacts.whole(digest);
    if (!bytes) return Fail(std::move(bytes).error().Context("an answer of a masked round"));
    return bytes;
  };
  if (masks.attempt < 1 || masks.attempt > kMostTries) return Fail(ErrorId::kStoreCorrupt, "a masked round: its try");
  if (!limits.members) return Fail(ErrorId::kUnsupported, "this root makes no masked sums");
  mask_keys.clear();
  for (const auto& [site, digest] : masks.keys) {
    OTE_TRY(mask_keys[site], read(digest));
  }
  if (masks.step == K::kMaskKeys) return {};
  OTE_TRY(auto root, RootMasks::Make(Try(), mask_keys, limits.members));
  mask_root.emplace(std::move(root));
  mask_keys.clear();
  for (const auto& [site, digest] : masks.deals) {
    OTE_TRY(const Bytes deal, read(digest));
    OTE_CHECK(mask_root->TakeDeal(site, deal));
  }
  if (masks.step == K::kMaskShares) return {};
  for (const std::string& site : masks.trains) {
    if (masks.deals.count(site) == 0) return Fail(ErrorId::kStoreCorrupt, "a masked round: who trains dealt no shares");
  }
  mask_root->Train(SetOf(masks.trains));
  masked.emplace(static_cast<std::size_t>(UpdateBytes()) / sizeof(std::uint32_t));
  if (masks.step == kept.open->kind) return {};
  mask_root->Close(SetOf(masks.survivors));
  for (const auto& [site, digest] : masks.consents) {
    OTE_TRY(const Bytes consent, read(digest));
    OTE_CHECK(mask_root->TakeConsent(site, consent));
  }
  for (const auto& [site, digest] : masks.shares) {
    OTE_TRY(const Bytes shares, read(digest));
    OTE_CHECK(mask_root->TakeShares(site, shares));
  }
  return {};
}

bool RunMachine::State::CheckMaskedWeight() {
  const MaskedRound& masks = *kept.open->masks;
  const std::set<std::string> survivors = SetOf(masks.survivors);
  std::int64_t weight = 0;
  for (const Asked& asked : kept.open->asked) {
    const bool in = masks.step == kept.open->kind ? asked.answer == Answer::kFolded : survivors.count(asked.name) != 0;
    if (in) weight += ExamplesOf(asked);
  }
  return masked->weight() == weight;
}

}  // namespace ote::federate
