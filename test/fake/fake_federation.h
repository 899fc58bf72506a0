// Drives a run machine from a script: artifacts in memory, sites that answer with made-up updates, a fake clock, and a
// root that can be killed after any action.
#pragma once

#include <cmath>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/federate/compress/update_reader.h"
#include "core/federate/compress/update_writer.h"
#include "core/federate/masks/mask_answer.h"
#include "core/federate/relay_sum.h"
#include "core/federate/run_machine.h"
#include "core/learn/statistics.h"
#include "crypto/digest.h"
#include "test/fake/mask_authority.h"

namespace ote::fake {

inline federate::Site MakeSite(const std::string& name, std::int64_t rows, bool reachable = true) {
  federate::Site site;
  site.name = name;
  site.reachable = reachable;
  site.dataset = api::DatasetSummary{.name = "digits",
                                     .train_rows = rows,
                                     .test_rows = rows / 4 + 1,
                                     .features = 4,
                                     .classes = 3,
                                     .class_names = {"a", "b", "c"},
                                     .schema = "columns"};
  return site;
}

inline api::RunSpec MakeSpec(std::int64_t rounds, std::int64_t minimum) {
  api::RunSpec spec;
  spec.dataset = "digits";
  spec.model.kind = api::ModelKind::kSoftmax;
  spec.rounds = rounds;
  spec.sites.minimum = minimum;
  spec.sites.deadline = "60s";
  spec.seed = 42;
  return spec;
}

// What a site answers: a function of the task alone, as training is.
struct Answer {
  api::UpdateOffer offer;
  Bytes update;
};

inline Bytes AsUpdate(const std::vector<float>& values) {
  Bytes out(values.size() * sizeof(float));
  std::memcpy(out.data(), values.data(), out.size());
  return out;
}

// Statistics of rows whose four columns have the mean 2 and the variance 4.
inline api::DataStatistics Survey(std::int64_t rows) {
  learn::Table table;
  table.rows = rows;
  table.columns = 4;
  table.feature_names = {"w", "x", "y", "z"};
  for (std::int64_t i = 0; i < rows; ++i) table.features.insert(table.features.end(), 4, i % 2 == 0 ? 0.0F : 4.0F);
  table.targets.resize(static_cast<std::size_t>(rows));
  table.class_names = {"a", "b", "c"};
  return learn::Summarise(table);
}

inline Answer Train(const api::Task& task, std::int64_t rows, std::size_t parameters = 15) {
  Answer answer;
  answer.offer.run = task.run;
  answer.offer.round = task.round;
  answer.offer.kind = task.kind;
  answer.offer.metrics.rows = rows / 4 + 1;
  answer.offer.metrics.loss = 1.0 + static_cast<double>(task.seed.value % 1000) / 1000;
  answer.offer.metrics.accuracy = static_cast<double>(task.seed.value % 100) / 100;
  answer.offer.seconds = 0.5;
  if (task.kind == api::TaskKind::kEvaluate) return answer;
  if (task.kind == api::TaskKind::kSurvey) {
    answer.offer.statistics = Survey(rows);
    return answer;
  }
  // The model stands in through its digest: another model, another update.
  std::mt19937_64 random(task.seed.value ^ std::hash<std::string>{}(task.model_digest + task.local.control_digest));
  answer.offer.steps = 10 + static_cast<double>(task.seed.value % 7);
  std::vector<float> values(parameters * (task.local.control ? 2 : 1));
  for (float& value : values) value = static_cast<float>(static_cast<double>(random() % 2'000'001) / 1e6 - 1.0);
  answer.update = AsUpdate(values);
  if (task.compression) {
    const std::size_t vectors = task.local.control ? 2 : 1;
    federate::UpdateWriter writer({*task.compression, values.size(), vectors}, task.seed.value);
    for (std::size_t v = 0; v < vectors; ++v) writer.Add(std::span(values).subspan(v * parameters, parameters));
    answer.update = std::move(writer).Take();
  }
  answer.offer.digest = crypto::DigestOf(answer.update).ToString();
  answer.offer.size = static_cast<std::int64_t>(answer.update.size());
  answer.offer.examples = rows;
  answer.offer.train_loss = 0.25;
  return answer;
}

// A root, its sites and what travels between them. `Step` delivers one thing that is under way.
class Federation {
 public:
  Federation(api::RunSpec spec, std::vector<federate::Site> sites, std::uint64_t order_seed = 0)
      : spec_(std::move(spec)), random_(order_seed) {
    for (federate::Site& site : sites) sites_[site.name] = std::move(site);
    limits.members = authority_.Check();
  }

  // Starts the run; again and again until it is accepted when the root was killed on the way.
  Result<void> Start() {
    federate::Outcome outcome;
    auto machine = federate::RunMachine::Start("run-1", spec_, "req", SiteList(), limits, Store(), Now(), &outcome,
                                               from ? &*from : nullptr);
    if (!machine) return Fail(machine.error());
    machine_.emplace(std::move(*machine));
    Perform(std::move(outcome));
    return {};
  }

  // Goes on until the run is over, nothing is under way, or the root was killed.
  void Play(int most = 100'000) {
    for (int i = 0; i < most && machine_ && !over && Step(); ++i) {
    }
  }

  bool Step() {
    if (inbox_.empty()) return false;
    const auto at = static_cast<std::ptrdiff_t>(shuffle ? random_() % inbox_.size() : 0);
    const std::function<void()> deliver = std::move(inbox_[static_cast<std::size_t>(at)]);
    inbox_.erase(inbox_.begin() + at);
    deliver();
    return true;
  }

  void Handle(const federate::Event& event) {
    if (!machine_) return;
    last = machine_->Handle(event, Now());
    refused = last.refused;
    Perform(federate::Outcome(last));
  }

  // A site's answer, and its update's arrival, out of turn.
  void Offer(const std::string& site, const Answer& answer) {
    updates_[answer.offer.digest] = answer.update;
    Handle(federate::Offered{site, answer.offer});
  }
  void Deliver(const std::string& site, const Answer& answer) {
    artifacts[answer.offer.digest] = answer.update;
    Handle(federate::Fetched{site, answer.offer.round, answer.offer.digest, answer.update});
  }

  void Advance(std::chrono::milliseconds by) {
    clock.Advance(by);
    Handle(federate::TimePassed{});
  }

  void SetReachable(const std::string& name, bool reachable) {
    sites_.at(name).reachable = reachable;
    Handle(federate::SiteChanged{sites_.at(name)});
  }
  void Change(const federate::Site& site) {
    sites_[site.name] = site;
    Handle(federate::SiteChanged{site});
  }
  void Remove(const std::string& name) {
    sites_.erase(name);
    Handle(federate::SiteRemoved{name});
  }

  // The process is gone: what was in memory and on the wire with it. What was stored stays.
  void Kill() {
    machine_.reset();
    inbox_.clear();
    kill_after = -1;
  }
  Result<void> Restart(federate::Resume resume = federate::Resume::kNo) {
    if (!saved) return Start();
    federate::Outcome outcome;
    auto machine = federate::RunMachine::Restore(*saved, SiteList(), limits, Store(), Now(), &outcome, resume);
    if (!machine) return Fail(machine.error());
    over = false;
    machine_.emplace(std::move(*machine));
    Perform(std::move(outcome));
    return {};
  }

  federate::Artifacts Store() {
    const auto find = [this](const std::string& digest) -> Result<Bytes> {
      const auto it = artifacts.find(digest);
      if (it == artifacts.end()) return Fail(ErrorId::kArtifactMissing, digest);
      return it->second;
    };
    return {find, [find](const std::string& digest, std::int64_t offset, std::span<std::uint8_t> out) -> Result<void> {
              OTE_TRY(const Bytes bytes, find(digest));
              if (static_cast<std::size_t>(offset) + out.size() > bytes.size()) {
                return Fail(ErrorId::kArtifactCorrupt, digest);
              }
              std::copy_n(bytes.begin() + offset, out.size(), out.begin());
              return {};
            }};
  }

  bool Alive() const { return machine_.has_value(); }
  const api::Run& View() const { return machine_->View(); }
  federate::RunMachine& Machine() { return *machine_; }
  federate::Now Now() const { return {clock.WallNow(), clock.SteadyNow()}; }
  std::vector<federate::Site> SiteList() const {
    std::vector<federate::Site> out;
    for (const auto& [name, site] : sites_) out.push_back(site);
    return out;
  }
  std::int64_t Rows(const std::string& name) const { return sites_.at(name).dataset->train_rows; }
  bool Told(const std::string& kind, const std::string& cluster = {}) const {
    for (const api::RunEvent& event : events) {
      if (event.kind == kind && (cluster.empty() || event.cluster == cluster)) return true;
    }
    return false;
  }

  federate::Limits limits;
  std::optional<federate::ModelFile> from;
  FakeClock clock;
  bool shuffle = true;
  bool keep_all = false;  // what is dropped stays
  int kill_after = -1;    // actions until the root is killed; -1 for never
  std::map<std::string, Bytes> artifacts;
  std::optional<Bytes> saved;
  std::vector<api::RecordEntry> entries;
  std::optional<api::ModelEntry> registered;
  std::vector<api::RunEvent> events;
  std::vector<api::Task> tasks;
  std::set<std::string> silent;                              // sites that take tasks and never answer
  std::map<std::string, std::function<void(Answer&)>> bend;  // changes what a site answers
  std::map<std::string, api::TaskKind> leaves;  // sites that answer nothing from their first task of this kind on
  std::map<std::string, Bytes> mask_memory;     // what the sites keep for masked rounds
  std::set<std::string> lost_relays;
  std::set<std::string> slow_for_relays;  // sites that a relay leaves out, once
  std::function<void(federate::FetchedSum&, Bytes& saved)> bend_sum;
  int sums_asked = 0;
  int unmasks = 0;
  bool holds_unmasking = false;      // it takes without end
  std::vector<std::string> fetched;  // sites whose updates were asked for one by one
  std::optional<std::chrono::milliseconds> wake;
  federate::Outcome last;
  std::optional<Error> refused;
  std::vector<std::pair<std::string, std::string>> refusals;  // site, code
  std::size_t most_artifacts = 0;
  int actions = 0;
  int closed = 0;
  bool over = false;

 private:
  void Perform(federate::Outcome outcome) {
    for (federate::Action& action : outcome.actions) {
      if (kill_after == 0) return Kill();
      if (kill_after > 0) --kill_after;
      ++actions;
      std::visit([this](auto& what) { Do(what); }, action);
      most_artifacts = std::max(most_artifacts, artifacts.size());
    }
    if (kill_after == 0) Kill();
  }

  void Do(federate::StoreArtifact& what) {
    if (crypto::DigestOf(what.bytes).ToString() != what.digest) throw std::logic_error("a wrong digest");
    artifacts[what.digest] = std::move(what.bytes);
  }
  void Do(federate::SaveState&) {
    saved = machine_->Snapshot();
    for (const std::string& digest : machine_->Needed()) {
      if (artifacts.count(digest) == 0) throw std::logic_error("a state was saved before its artifacts");
    }
  }
  void Do(federate::DropArtifact& what) {
    if (!keep_all) artifacts.erase(what.digest);
  }
  void Do(federate::SendTask& what) {
    tasks.push_back(what.task);
    if (silent.count(what.site) != 0 || sites_.count(what.site) == 0) return;
    if (!sites_.at(what.site).reachable) return;
    if (const auto it = leaves.find(what.site); it != leaves.end() && it->second == what.task.kind) {
      silent.insert(what.site);
      return;
    }
    Answer answer = what.task.masks ? Mask(what.site, what.task) : Train(what.task, Rows(what.site));
    if (const auto it = bend.find(what.site); it != bend.end()) it->second(answer);
    updates_[answer.offer.digest] = answer.update;
    inbox_.emplace_back([this, site = what.site, offer = answer.offer] {
      if (sites_.count(site) == 0 || !sites_.at(site).reachable) return;
      Handle(federate::Offered{site, offer});
      if (refused) refusals.emplace_back(site, refused->Code());
    });
  }
  void Do(federate::FetchUpdate& what) {
    fetched.push_back(what.site);
    inbox_.emplace_back([this, what] {
      if (sites_.count(what.site) == 0 || !sites_.at(what.site).reachable) {
        return Handle(federate::FetchFailed{what.site, what.round, Error{ErrorId::kUnreachable, "gone", {}}});
      }
      const Bytes update = updates_.at(what.digest);
      artifacts[what.digest] = update;
      most_artifacts = std::max(most_artifacts, artifacts.size());
      Handle(federate::Fetched{what.site, what.round, what.digest, update});
    });
  }
  // As a relay would.
  void Do(federate::FetchSum& what) {
    ++sums_asked;
    inbox_.emplace_back([this, what] {
      if (lost_relays.count(what.via) != 0) {
        return Handle(federate::SumFailed{what.id, Error{ErrorId::kUnreachable, "gone", {}}});
      }
      federate::FetchedSum made{what.id, {}, {}, {}};
      auto sum =
          what.masked ? federate::RelaySum::Masked(what.form.values) : federate::RelaySum::Exact(what.form, what.grid);
      for (const auto& item : what.items) {
        const bool slow = slow_for_relays.erase(item.site) != 0;
        const auto folded = slow ? Result<void>(Fail(ErrorId::kTimedOut, "not in time"))
                                 : sum.Fold(updates_.at(item.digest), item.weight);
        if (folded) {
          made.folded.push_back(item.site);
        } else {
          made.failed.push_back({item.site, folded.error()});
        }
      }
      Bytes bytes = sum.Save();
      made.sum = bytes;
      if (bend_sum) bend_sum(made, bytes);
      Handle(made);
    });
  }
  void Do(federate::Unmask& what) {
    ++unmasks;
    if (holds_unmasking) return;
    inbox_.emplace_back([this, what] {
      const auto done = what.removal->From(*what.sum);
      Handle(done ? federate::Unmasked{what.id, what.sum} : federate::Unmasked{what.id, nullptr, done.error()});
    });
  }
  void Do(federate::CloseRound&) { ++closed; }
  void Do(federate::WakeAt& what) { wake = what.steady; }
  void Do(federate::Log& what) { events.push_back(what.event); }
  void Do(federate::Enter& what) { entries.push_back(what.entry); }
  void Do(federate::RegisterModel& what) { registered = what.entry; }
  void Do(federate::Over&) { over = true; }

  // Sites answer a task that comes again as they did before; what they keep is on disk.
  Answer Mask(const std::string& site, const api::Task& task) {
    const std::string key = site + "/" + std::to_string(task.round) + "/" + std::to_string(task.stage);
    if (const auto it = masked_.find(key); it != masked_.end()) return it->second;
    if (identities_.count(site) == 0) identities_[site] = authority_.Admit(site);
    federate::SiteAnswer made;
    Result<void> done;
    if (api::IsMaskStep(task.kind)) {
      made.offer.run = task.run;
      made.offer.round = task.round;
      done = federate::AnswerMasks(task, identities_.at(site), mask_memory[site], made);
    } else {
      const Answer plain = Train(task, Rows(site));
      made.offer = plain.offer;
      made.update = plain.update;
      done = federate::MaskAnswer(task, Rows(site), mask_memory[site], made);
      made.offer.digest = crypto::DigestOf(made.update).ToString();
      made.offer.size = static_cast<std::int64_t>(made.update.size());
    }
    made.offer.kind = task.kind;
    made.offer.stage = task.stage;
    if (!done) {
      made.offer = federate::FailedOffer(task, done.error(), "mask");
    } else {
      mask_memory[site] = made.memory.masks;
    }
    return masked_[key] = Answer{made.offer, made.update};
  }

  MaskAuthority authority_;
  std::map<std::string, federate::MaskIdentity> identities_;
  std::map<std::string, Answer> masked_;
  api::RunSpec spec_;
  std::map<std::string, federate::Site> sites_;
  std::optional<federate::RunMachine> machine_;
  std::mt19937_64 random_;
  std::deque<std::function<void()>> inbox_;
  std::map<std::string, Bytes> updates_;  // at the sites
};

}  // namespace ote::fake
