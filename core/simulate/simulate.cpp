#include "core/simulate/simulate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "core/base/clock.h"
#include "core/federate/masks/site_masks.h"
#include "core/federate/run_machine.h"
#include "core/federate/site.h"
#include "core/learn/prepare.h"
#include "core/learn/random.h"
#include "core/simulate/courier.h"
#include "crypto/digest.h"

namespace ote::simulate {
namespace {

// Nothing is ever restored here, so no sum is checkpointed, and updates are let go as soon as they are folded.
federate::Limits Limits() {
  federate::Limits limits;
  limits.fetches = 1;
  limits.spool_bytes = std::numeric_limits<std::int64_t>::max();
  return limits;
}

std::string SchemaOf(const learn::Table& table) {
  std::vector<std::size_t> categorical;
  for (const auto& [column, names] : table.categories) categorical.push_back(static_cast<std::size_t>(column));
  return api::SchemaDigest(table.feature_names, categorical);
}

bool LacksValues(const learn::Table& table) {
  return std::any_of(table.features.begin(), table.features.end(), [](float value) { return std::isnan(value); });
}

federate::Site Announce(const SimulatedSite& site, const api::RunSpec& spec) {
  federate::Site out;
  out.name = site.name;
  out.labels = spec.sites.selector.labels;
  out.reachable = true;
  out.dataset = api::DatasetSummary{.name = spec.dataset,
                                    .train_rows = site.train.rows,
                                    .test_rows = site.test.rows,
                                    .features = site.train.columns,
                                    .classes = static_cast<std::int64_t>(site.train.class_names.size()),
                                    .class_names = site.train.class_names,
                                    .schema = SchemaOf(site.train),
                                    .missing = LacksValues(site.train) || LacksValues(site.test),
                                    .categorical = static_cast<std::int64_t>(site.train.categories.size())};
  return out;
}

class Simulation {
 public:
  Simulation(const api::RunSpec& spec, const std::vector<SimulatedSite>& sites, const SimulateOptions& options,
             std::stop_token stop)
      : spec_(spec), sites_(sites), options_(options), stop_(std::move(stop)), order_(options.arrival_seed) {
    // All sites that are given take part: they are none of the tree, and have the labels that are wanted.
    spec_.sites.selector.text.reset();
    for (std::size_t i = 0; i < sites.size(); ++i) places_[sites[i].name] = i;
    compares_ = federate::MakeStrategy(spec.strategy)->NeedsAll();
    if (spec.masks.kind != api::MaskKind::kNone) authority_ = crypto::SigningKey::Generate();
  }

  Result<Simulated> Go() {
    if (!(options_.absent >= 0 && options_.absent < 1)) {
      return Fail(ErrorId::kUsage, fmt::format("absent: 0 or more and below 1, not {}", options_.absent));
    }
    if (places_.size() != sites_.size()) return Fail(ErrorId::kUsage, "two simulated sites have the same name");
    std::vector<federate::Site> announced;
    for (const SimulatedSite& site : sites_) {
      announced.push_back(Announce(site, spec_));
      OTE_CHECK(api::CheckPrepared(*announced.back().dataset, spec_.prepare));
    }
    federate::Outcome outcome;
    OTE_TRY(federate::RunMachine started,
            federate::RunMachine::Start("simulation", spec_, "", announced, LimitsOf(), Store(), Now(), &outcome));
    machine_.emplace(std::move(started));
    OTE_CHECK(Perform(std::move(outcome)));
    while (!over_) {
      if (stop_.stop_requested()) return Fail(ErrorId::kInterrupted, "the simulation was stopped");
      OTE_CHECK(Step());
    }
    Simulated out;
    out.run = machine_->View();
    out.model = std::move(artifacts_[out.run.model.digest]);
    out.messages = courier_.messages();
    out.bytes = courier_.bytes();
    return out;
  }

 private:
  federate::Limits LimitsOf() const {
    federate::Limits limits = Limits();
    if (authority_) limits.members = federate::CertifiedBy(authority_->Public(), {});
    return limits;
  }

  // What a site shows to the others: a key certified by the authority of this simulation.
  const federate::MaskIdentity* IdentityOf(const std::string& name) {
    if (!authority_) return nullptr;
    auto& own = identities_[name];
    if (own.identity.key == nullptr) {
      own.key = crypto::SigningKey::Generate();
      crypto::CertificateBody body;
      body.serial = BigId{identities_.size()};
      body.name = name;
      body.sign_key.assign(own.key->Public().bytes.begin(), own.key->Public().bytes.end());
      body.transport_key = Bytes(32, 1);
      body.not_after = 1;  // there must be dates, and nobody here looks at them
      const auto fingerprint = crypto::FingerprintOf(authority_->Public());
      body.authority.assign(fingerprint.begin(), fingerprint.end());
      own.identity = {name, &*own.key, crypto::IssueCertificate(*authority_, body),
                      federate::CertifiedBy(authority_->Public(), {})};
    }
    return &own.identity;
  }

  federate::Now Now() const { return {clock_.WallNow(), clock_.SteadyNow()}; }

  // One site does its task from beginning to end; when none has one, time passes.
  Result<void> Step() {
    if (tasks_.empty()) {
      if (!wake_ || *wake_ <= clock_.SteadyNow()) {
        return Fail(ErrorId::kTooFewSites, "the simulation cannot go on: " + machine_->View().message);
      }
      clock_.Advance(*wake_ - clock_.SteadyNow());
      return Handle(federate::TimePassed{});
    }
    const auto at = static_cast<std::size_t>(order_.Below(tasks_.size()));
    std::swap(tasks_[at], tasks_.back());
    const auto [name, task] = std::move(tasks_.back());
    tasks_.pop_back();
    return Answer(name, task);
  }

  Result<void> Answer(const std::string& name, const api::Task& sent) {
    if (Absent(name, sent)) return {};
    OTE_TRY(const api::Task task, courier_.Ask(api::verb::kFlTask, sent));
    const bool trains = !api::IsMaskStep(task.kind);
    OTE_TRY(const Bytes model, trains ? Carry(task.model_digest) : Bytes());
    OTE_TRY(const Bytes control, trains ? Carry(task.local.control_digest) : Bytes());
    OTE_TRY(const Rows rows, RowsOf(name, task));
    federate::SiteMemory& memory = memories_[name];
    federate::SiteExtras extras;
    extras.control = control;
    extras.memory = std::move(memory);
    extras.identity = IdentityOf(name);
    OTE_TRY(federate::SiteAnswer answer, federate::PerformTask(task, model, *rows.train, *rows.test, stop_, extras));
    memory = std::move(extras.memory);
    if (!answer.memory.control.empty()) memory.control = std::move(answer.memory.control);
    if (!answer.memory.personal.empty()) memory.personal = std::move(answer.memory.personal);
    if (!answer.memory.residual.empty()) memory.residual = std::move(answer.memory.residual);
    if (!answer.memory.masks.empty()) memory.masks = std::move(answer.memory.masks);
    OTE_TRY(const api::UpdateOffer offer, courier_.Ask(api::verb::kFlOffer, answer.offer));
    update_ = std::move(answer.update);
    return Handle(federate::Offered{name, offer});
  }

  // Whether the site misses this round: a hash of seed, round and name, so the same in every order.
  bool Absent(const std::string& name, const api::Task& task) const {
    if (options_.absent <= 0 || task.kind != api::TaskKind::kTrain) return false;
    const std::uint64_t drawn = learn::DeriveSeed(task.seed.value, 0x0ab5e47);
    return static_cast<double>(drawn >> 11) * 0x1p-53 < options_.absent && places_.count(name) != 0;
  }

  struct Rows {
    const learn::Table* train = nullptr;
    const learn::Table* test = nullptr;
  };
  Result<Bytes> Carry(const std::string& digest) {
    if (digest.empty()) return Bytes();
    const auto it = artifacts_.find(digest);
    if (it == artifacts_.end()) return Fail(ErrorId::kArtifactMissing, digest);
    return courier_.Carry(digest, it->second);
  }

  // The site's rows with the run's classes, prepared; copied only where that changes them.
  Result<Rows> RowsOf(const std::string& name, const api::Task& task) {
    const std::size_t place = places_.at(name);
    const SimulatedSite& site = sites_[place];
    const bool fits =
        task.task == api::DataTask::kClustering ||
        (site.train.class_names == task.classes && (site.test.rows == 0 || site.test.class_names == task.classes));
    const bool as_it_is = task.kind == api::TaskKind::kSurvey || task.preparation.columns.empty();
    if (fits && as_it_is) return Rows{&site.train, &site.test};
    const auto [it, fresh] = made_.try_emplace(place);
    if (fresh) {
      it->second = {site.train, site.test};
      for (learn::Table* rows : {&it->second.first, &it->second.second}) {
        if (!fits) OTE_CHECK(learn::UseClasses(*rows, task.classes));
        if (!as_it_is) OTE_CHECK(learn::Prepare(*rows, task.preparation));
      }
    }
    return Rows{&it->second.first, &it->second.second};
  }

  federate::Artifacts Store() {
    const auto find = [this](const std::string& digest) -> Result<const Bytes*> {
      const auto it = artifacts_.find(digest);
      if (it == artifacts_.end()) return Fail(ErrorId::kArtifactMissing, digest);
      return &it->second;
    };
    return {[find](const std::string& digest) -> Result<Bytes> {
              OTE_TRY(const Bytes* bytes, find(digest));
              return *bytes;
            },
            [find](const std::string& digest, std::int64_t offset, std::span<std::uint8_t> out) -> Result<void> {
              OTE_TRY(const Bytes* bytes, find(digest));
              if (static_cast<std::size_t>(offset) + out.size() > bytes->size()) {
                return Fail(ErrorId::kArtifactCorrupt, digest);
              }
              std::copy_n(bytes->begin() + offset, out.size(), out.begin());
              return {};
            }};
  }

  Result<void> Handle(const federate::Event& event) {
    const std::size_t rounds = machine_->View().rounds.size();
    federate::Outcome outcome = machine_->Handle(event, Now());
    OTE_CHECK(Perform(std::move(outcome)));
    if (options_.on_round && machine_->View().rounds.size() > rounds) options_.on_round(machine_->View());
    return {};
  }

  Result<void> Perform(federate::Outcome outcome) {
    std::optional<federate::FetchUpdate> fetch;
    std::optional<federate::Unmask> unmask;
    for (federate::Action& action : outcome.actions) {
      if (auto* store = std::get_if<federate::StoreArtifact>(&action)) {
        artifacts_[store->digest] = std::move(store->bytes);
      } else if (const auto* drop = std::get_if<federate::DropArtifact>(&action)) {
        artifacts_.erase(drop->digest);
      } else if (auto* send = std::get_if<federate::SendTask>(&action)) {
        std::erase_if(tasks_, [send](const auto& task) { return task.first == send->site; });
        tasks_.emplace_back(std::move(send->site), std::move(send->task));
      } else if (auto* wanted = std::get_if<federate::FetchUpdate>(&action)) {
        fetch = std::move(*wanted);
      } else if (auto* masked = std::get_if<federate::Unmask>(&action)) {
        unmask = std::move(*masked);
      } else if (const auto* wake = std::get_if<federate::WakeAt>(&action)) {
        wake_ = wake->steady;
      } else if (auto* line = std::get_if<federate::Log>(&action)) {
        line->event.seq = ++seq_;
        if (options_.on_event) options_.on_event(line->event);
      } else if (std::holds_alternative<federate::Over>(action)) {
        over_ = true;
      }
    }
    if (unmask) {
      const auto done = unmask->removal->From(*unmask->sum, stop_);
      if (!done && done.error().id == ErrorId::kInterrupted) return done;
      return Handle(done ? federate::Unmasked{unmask->id, unmask->sum}
                         : federate::Unmasked{unmask->id, nullptr, done.error()});
    }
    if (!fetch) return {};
    OTE_TRY(const Bytes update, courier_.Carry(fetch->digest, update_));
    update_ = {};
    // A strategy that compares updates reads them at the end of the round.
    if (compares_) artifacts_[fetch->digest] = update;
    return Handle(federate::Fetched{fetch->site, fetch->round, fetch->digest, update});
  }

  api::RunSpec spec_;
  const std::vector<SimulatedSite>& sites_;
  const SimulateOptions& options_;
  std::stop_token stop_;
  learn::Random order_;
  FakeClock clock_;
  Courier courier_;
  std::map<std::string, std::size_t> places_;
  std::map<std::size_t, std::pair<learn::Table, learn::Table>> made_;  // rows with classes or columns other than given
  std::map<std::string, federate::SiteMemory> memories_;
  struct Identity {
    std::optional<crypto::SigningKey> key;
    federate::MaskIdentity identity;
  };
  std::optional<crypto::SigningKey> authority_;  // with secure aggregation
  std::map<std::string, Identity> identities_;
  std::optional<federate::RunMachine> machine_;
  std::vector<std::pair<std::string, api::Task>> tasks_;
  std::map<std::string, Bytes> artifacts_;  // at the root
  bool compares_ = false;
  Bytes update_;  // of the site that has just answered
  std::optional<std::chrono::milliseconds> wake_;
  std::int64_t seq_ = 0;
  bool over_ = false;
};

}  // namespace

Result<Simulated> Simulate(const api::RunSpec& spec, const std::vector<SimulatedSite>& sites,
                           const SimulateOptions& options, std::stop_token stop) {
  return Simulation(spec, sites, options, std::move(stop)).Go();
}

}  // namespace ote::simulate
