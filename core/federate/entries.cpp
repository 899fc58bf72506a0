// What a run writes into its record as it goes on.
#include "core/federate/run_state.h"
#include "crypto/digest.h"

namespace ote::federate {

std::vector<api::RecordedSite> RunMachine::State::RecordedSites(const OpenRound& open, api::RecordEntry& entry) const {
  std::vector<api::RecordedSite> out;
  std::set<std::string> named;
  for (const Asked& asked : open.asked) {
    if (asked.answer != Answer::kFolded) continue;
    api::RecordedSite site;
    site.name = asked.name;
    site.base = asked.base;
    if (open.kind == api::TaskKind::kTrain) {
      site.examples = asked.result.examples;
      site.weight = WeightOf(asked);
      site.digest = asked.result.digest;
      site.size = asked.size;
      site.steps = asked.result.steps;
    }
    if (asked.statement) {
      site.statement = asked.statement->body;
      site.signature = asked.statement->signature;
      site.certificate = api::CertificateDigest(asked.statement->certificate);
      if (named.insert(site.certificate).second) entry.certificates.push_back(asked.statement->certificate);
    }
    out.push_back(std::move(site));
  }
  return out;
}

void RunMachine::State::EnterBegin() {
  api::RecordEntry entry;
  entry.kind = api::EntryKind::kBegin;
  entry.at = now.wall;
  entry.begin = api::RecordBegin{kept.run.spec, kept.run.from_digest, kept.run.model.digest};
  durable.emplace_back(Enter{std::move(entry)});
}

void RunMachine::State::EnterModel(const OpenRound* survey) {
  const api::Run& run = kept.run;
  api::RecordModel made;
  made.model = run.model.digest;
  if (!run.preparation.Empty()) made.preparation = crypto::DigestOf(ToCbor(run.preparation)).ToString();
  made.features = run.features;
  made.classes = static_cast<std::int64_t>(run.classes.size());
  api::RecordEntry entry;
  if (survey != nullptr) made.sites = RecordedSites(*survey, entry);
  entry.kind = api::EntryKind::kModel;
  entry.at = now.wall;
  entry.model = std::move(made);
  durable.emplace_back(Enter{std::move(entry)});
}

api::RecordEntry RunMachine::State::EntryOf(const api::Round& record, std::int64_t pool_rows) const {
  api::RecordEntry entry;
  entry.kind = api::EntryKind::kRound;
  entry.at = now.wall;
  api::RecordRound round;
  round.round = record.round;
  round.sites = RecordedSites(*kept.open, entry);
  round.left_out = record.left_out;
  round.failed = record.failed;
  round.model_before = kept.run.model.digest;
  round.state_before = kept.strategy;
  round.capacity = kept.open->capacity;
  round.pool_rows = pool_rows;
  round.learning_rate = record.learning_rate;
  round.started_at = record.started_at;
  if (Masked()) {
    round.aggregate = api::AggregateKind::kMasked;
    round.sum = crypto::DigestOf(sum->Save()).ToString();
  }
  entry.round = std::move(round);
  return entry;
}

void RunMachine::State::EnterRound(api::RecordEntry entry) {
  entry.round->model = kept.run.model.digest;
  entry.round->state = kept.strategy;
  durable.emplace_back(Enter{std::move(entry)});
}

std::string RunMachine::TaskOf(const std::string& site, std::int64_t round) const {
  if (!state_->kept.open) return {};
  for (const Asked& asked : state_->kept.open->asked) {
    if (asked.name == site && asked.base == round) return asked.task;
  }
  return {};
}

}  // namespace ote::federate
