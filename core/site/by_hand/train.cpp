// From a task that was carried here to the update that is carried back.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/units.h"
#include "core/base/version.h"
#include "core/bundle/marks.h"
#include "core/record/statement.h"
#include "core/site/by_hand/hand_site.h"
#include "core/site/dataset_registry.h"
#include "core/site/ledger.h"
#include "core/site/mask_identity.h"
#include "core/site/memories.h"
#include "core/site/perform.h"

namespace ote::site {
namespace {

// What the state folder needs beside the artifacts: rows of the store, and its log.
constexpr std::uint64_t kMargin = 4 << 20;

// The trainer of the site's own for a data set: one that names it before one that names none.
Result<std::optional<OwnTrainer>> TrainerFor(store::Store& store, const std::string& dataset,
                                             const std::string& cluster, const std::filesystem::path& state) {
  OTE_TRY(const auto trainers, store.List<api::Trainer>());
  const api::Trainer* found = nullptr;
  for (const auto& trainer : trainers) {
    const bool bound = std::find(trainer.datasets.begin(), trainer.datasets.end(), dataset) != trainer.datasets.end();
    if (bound || (found == nullptr && trainer.datasets.empty())) found = &trainer;
    if (bound) break;
  }
  if (found == nullptr) return std::optional<OwnTrainer>();
  return std::optional<OwnTrainer>(OwnTrainer{*found, cluster, state, std::make_shared<SandboxProbe>(state)});
}

}  // namespace

Result<void> HandSite::TakeArtifacts(bundle::Bundle& task) {
  OTE_TRY(const auto transport, folder_.TransportKey());
  std::optional<store::Partial> partial;
  bool skip = false;
  std::uint64_t left = 0;
  return task.Unpack(
      &transport, [](const bundle::Manifest&, ByteView) -> Result<void> { return {}; },
      [&](const bundle::Item& item, std::uint64_t offset, ByteView piece) -> Result<void> {
        const auto size = static_cast<std::uint64_t>(item.size);
        if (offset == 0) {
          skip = artifacts_->Has(item.digest);
          left = size;
          if (!skip) {
            OTE_TRY(auto begun, artifacts_->Begin(item.digest, size));
            if (begun.Offset() > 0) {  // of an attempt that was cut off; it is all here again
              begun.Discard();
              OTE_TRY(begun, artifacts_->Begin(item.digest, size));
            }
            partial.emplace(std::move(begun));
          }
        }
        left -= piece.size();
        if (skip) return {};
        OTE_CHECK(partial->Append(piece));
        if (left > 0) return {};
        OTE_CHECK(partial->Finish());
        partial.reset();
        return {};
      });
}

Result<federate::SiteAnswer> HandSite::Work(const Plan& plan, const std::stop_token& stop) {
  const auto& task = plan.body.task;
  site::Work work{task, plan.file, {}, {}, {}};
  if (task.masks) {
    OTE_TRY(work.identity, MaskIdentityOf(folder_, *member_));
  }
  if (task.kind == api::TaskKind::kTrain && task.trainer != api::TrainerKind::kBuiltin) {
    OTE_TRY(work.own, TrainerFor(*store_, task.dataset, member_->name, folder_.path));
    if (!work.own && task.trainer == api::TrainerKind::kExec) {
      return Failed(task, NoTrainer(task, member_->name), "train");
    }
  }
  Ledger ledger(*store_);
  const auto admitted = ledger.Admit(task, plan.file.dataset);
  if (!admitted) return Failed(task, admitted.error(), "privacy");
  Given given;
  given.silent = admitted->silent;
  const bool trains = !api::IsMaskStep(task.kind);  // steps of masks alone need no model, and bring none
  const auto open = [this, trains](const std::string& digest,
                                   std::optional<store::MappedArtifact>& out) -> Result<void> {
    if (digest.empty() || !trains) return {};
    OTE_TRY(auto mapped, artifacts_->Map(digest));
    out.emplace(std::move(mapped));
    return {};
  };
  OTE_CHECK(open(task.model_digest, given.model));
  OTE_CHECK(open(task.local.control_digest, given.control));
  Memories memories(*clock_, *store_, *artifacts_);
  given.memory = memories.Load(task);
  DataCache cache;
  OTE_TRY(auto made, Perform(work, cache, given, stop));
  const auto& phases = made.offer.phases;
  made.offer.seconds = phases.prepare + phases.measure + phases.train;
  return made;
}

Result<void> HandSite::Keep(const Plan& plan, const federate::SiteAnswer& made, HandAnswer* answer) {
  const auto& task = plan.bundle.header;
  auto& header = answer->header;
  header.kind = bundle::kind::kUpdate;
  header.issuer = member_->name;
  header.certificate = member_->certificate;
  header.receiver = plan.issuer.name;
  header.receiver_key = plan.issuer.transport_key;
  header.authority = crypto::ToBytes(crypto::FingerprintOf(member_->AuthorityKey()));
  header.stream = task.stream;
  header.run = task.run;
  header.round = task.round;
  header.step = task.step;
  header.nonce = task.nonce;
  header.answers = plan.bundle.digest;
  header.created = clock_->WallNow();
  header.version = Version();
  header.revocations = member_->revocations;
  answer->body.offer = made.offer;
  OTE_TRY(const auto sign, folder_.SignKey());
  record::Countersign(answer->body.offer, api::TaskDigest(plan.body.task), member_->name, sign, member_->certificate);
  OTE_TRY(answer->body.datasets, Summaries(*store_));
  answer->body.version = Version();
  answer->body.platform = Platform();
  if (!made.update.empty()) OTE_CHECK(artifacts_->Put(made.offer.digest, made.update));
  Memories memories(*clock_, *store_, *artifacts_);
  OTE_TRY(const auto answers, store_->List<HandAnswer>());
  std::set<std::string> useless;
  auto kept = store_->Transaction([&]() -> Result<void> {
    // Earlier rounds of the run are over: the root has asked for this one.
    for (const auto& old : answers) {
      if (old.header.run != header.run || old.header.round >= header.round) continue;
      useless.insert(old.body.offer.digest);
      OTE_CHECK(store_->Remove<HandAnswer>(old.Key()));
    }
    OTE_CHECK(memories.CloseRound(header.run, header.round - 1));
    OTE_TRY(header.sequence, NextSent());
    OTE_CHECK(store_->Put(*answer));
    OTE_CHECK(memories.Put(plan.body.task, made));
    if (!made.offer.failed) OTE_CHECK(Ledger(*store_).Answered(plan.body.task, plan.file.dataset));
    return bundle::PutMark(*store_, plan.bundle);
  });
  OTE_CHECK(std::move(kept));
  memories.Sweep();
  useless.insert(plan.body.task.model_digest);
  useless.insert(plan.body.task.local.control_digest);
  DropUnneeded(useless);
  for (const auto& run : plan.body.over) {
    if (run != header.run) OTE_CHECK(ForgetRun(run));
  }
  return {};
}

Result<bundle::Packed> HandSite::PackAnswer(const HandAnswer& answer, const bundle::Place& place) {
  OTE_TRY(const auto sign, folder_.SignKey());
  bundle::Package package;
  package.header = answer.header;
  package.body = ToJson(answer.body);
  const auto& offer = answer.body.offer;
  if (!offer.digest.empty()) {
    package.contents.push_back(
        {{offer.digest, offer.size},
         [this, digest = offer.digest](std::uint64_t offset, std::span<std::uint8_t> out) -> Result<void> {
           OTE_TRY(const auto bytes, artifacts_->ReadRange(digest, offset, out.size()));
           if (bytes.size() != out.size()) {
             return Fail(ErrorId::kArtifactCorrupt, digest + ": it is shorter than it was");
           }
           std::copy(bytes.begin(), bytes.end(), out.begin());
           return {};
         }});
  }
  return bundle::Pack(package, sign, place);
}

Result<HandSite::Trained> HandSite::Train(bundle::Bundle& task, const Plan& plan, const bundle::Place& place,
                                          bool tell_failure, const std::stop_token& stop) {
  const auto& header = plan.bundle.header;
  Trained trained;
  if (plan.answered) {
    OTE_TRY(const auto answer, store_->Get<HandAnswer>(HandAnswer::AnswerKey(header.run, header.round, header.step)));
    if (answer->received) {
      return Fail(ErrorId::kConflict,
                  fmt::format("run {}, round {}: the root has the answer to this task", header.run, header.round),
                  "nothing is left to do with this file");
    }
    trained.offer = answer->body.offer;
    trained.already = true;
    OTE_TRY(trained.file, PackAnswer(*answer, place));
    return trained;
  }
  // The given model, the control variate, and an update as large as the model, in the folder and in the file.
  const auto brought = static_cast<std::uint64_t>(header.plain_size);
  const auto update = static_cast<std::uint64_t>(std::max<std::int64_t>(0, plan.body.task.model_size));
  for (const auto& [path, needed] : std::map<std::filesystem::path, std::uint64_t>{
           {folder_.path, brought + update + kMargin}, {place.path.parent_path(), update}}) {
    OTE_TRY(const auto space, FreeSpace(path));
    if (space < needed) {
      return Fail(ErrorId::kNoSpace, fmt::format("{}: training takes about {} there, and {} are free", path.string(),
                                                 FormatSize(needed), FormatSize(space)));
    }
  }
  OTE_CHECK(TakeNews(header, plan.authority, plan.body.certificate));
  OTE_CHECK(TakeArtifacts(task));
  OTE_TRY(const auto made, Work(plan, stop));
  if (made.offer.failed && !tell_failure) {
    DropUnneeded({plan.body.task.model_digest, plan.body.task.local.control_digest});
    const bool known = made.offer.error_code > 0 && made.offer.error_code < 10'000;
    return Fail(
        Error{known ? static_cast<ErrorId>(made.offer.error_code) : ErrorId::kTrainingFailed, made.offer.error,
              made.offer.hint.empty() ? "--tell-failure writes an update that tells the root" : made.offer.hint});
  }
  HandAnswer answer;
  OTE_CHECK(Keep(plan, made, &answer));
  trained.offer = answer.body.offer;
  OTE_TRY(trained.file, PackAnswer(answer, place));
  return trained;
}

Result<void> HandSite::ForgetRun(const std::string& run) {
  Memories memories(*clock_, *store_, *artifacts_);
  OTE_TRY(const auto answers, store_->List<HandAnswer>());
  std::set<std::string> useless;
  auto kept = store_->Transaction([&]() -> Result<void> {
    for (const auto& old : answers) {
      if (old.header.run != run) continue;
      useless.insert(old.body.offer.digest);
      OTE_CHECK(store_->Remove<HandAnswer>(old.Key()));
    }
    return memories.Forget(run);
  });
  OTE_CHECK(std::move(kept));
  memories.Sweep();
  DropUnneeded(useless);
  return {};
}

void HandSite::DropUnneeded(const std::set<std::string>& digests) {
  Memories memories(*clock_, *store_, *artifacts_);
  auto needed = memories.Needed();
  needed.merge(AnswersNeeded(*store_));
  for (const auto& digest : digests) {
    if (!digest.empty() && !needed.contains(digest)) artifacts_->Remove(digest);
  }
}

}  // namespace ote::site
