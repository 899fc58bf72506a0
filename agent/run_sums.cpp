#include "agent/run_sums.h"

#include <fmt/format.h>

#include <utility>

#include "core/api/requests.h"
#include "core/parcel/fold_seals.h"
#include "core/store/sealed_artifacts.h"
#include "crypto/certificate.h"
#include "crypto/sealed.h"

namespace ote::agent {

void RunSums::Fetch(const federate::FetchSum& wanted) {
  const auto id = wanted.id;
  auto& job = jobs_[id] = Job{wanted, {}, {}, 0};
  auto asked = Ask(job);
  if (asked) return;
  context_.timers.At(context_.clock.SteadyNow(), [this, id, error = asked.error(), alive = std::weak_ptr(alive_)] {
    if (alive.lock()) Failed(id, error);
  });
}

Result<void> RunSums::Ask(Job& job) {
  const auto& wanted = job.wanted;
  const auto relay = members_.Find(wanted.via);
  const auto way = members_.WayTo(wanted.via);
  if (!relay || !relay->certificate || !way) return Fail(ErrorId::kUnreachable, wanted.via + ": not connected");
  OTE_TRY(const auto paper, FromCbor<crypto::CertificateBody>(relay->certificate->body));
  api::FoldWork work{run_, wanted.round, wanted.count, wanted.grid.exponent, wanted.grid.capacity, seals_.AnswerKey(),
                     {}};
  for (const auto& item : wanted.items) {
    auto sealed = seals_.ToFold(item.site, item.digest);
    if (!sealed) {
      job.failed.push_back({item.site, sealed.error()});
      continue;
    }
    sealed->weight = item.weight;
    work.items.push_back(std::move(*sealed));
  }
  if (work.items.empty()) return Fail(ErrorId::kUnsupported, "no site behind it says what its update is sealed with");
  auto request = parcel::SealWork(work, wanted.via, paper.Transport());
  for (auto& item : work.items) crypto::Wipe(item.key);
  if (!request) return Fail(std::move(request).error());
  context_.rpc.Call(*way, api::verb::kFlFold, ToJson(*request), kPatience,
                    [this, id = wanted.id, alive = std::weak_ptr(alive_)](Result<wire::Envelope> answer) {
                      if (alive.lock()) Answered(id, std::move(answer));
                    });
  return {};
}

void RunSums::Answered(std::int64_t id, Result<wire::Envelope> answer) {
  const auto it = jobs_.find(id);
  if (it == jobs_.end()) return;
  auto taken = answer ? Take(it->second, *answer) : Result<void>(Fail(answer.error()));
  if (!taken) Failed(id, taken.error());
}

Result<void> RunSums::Take(Job& job, const wire::Envelope& answer) {
  OTE_TRY(job.reply, FromWire<api::FoldReply>(answer.body));
  const auto& reply = job.reply;
  for (const auto& failed : reply.failed) {
    const bool known = failed.code > 0 && failed.code < 10'000;
    job.failed.push_back(
        {failed.site, {known ? static_cast<ErrorId>(failed.code) : ErrorId::kFailed, failed.message, {}}});
  }
  if (reply.folded.empty()) {
    return Fail(ErrorId::kFailed, job.failed.empty() ? "it folded nothing" : job.failed.front().error.message);
  }
  const auto size = federate::Accumulator::SavedSize(static_cast<std::size_t>(job.wanted.count));
  if (!std::cmp_equal(reply.size, size) || !std::cmp_equal(reply.sum.size, crypto::SealedSize(size)) ||
      !crypto::Digest::Parse(reply.digest) || !crypto::Digest::Parse(reply.sum.digest) ||
      reply.digest == reply.sum.digest) {
    return Fail(ErrorId::kUpdateShape, "its sum is not one of this model");
  }
  const auto way = members_.WayTo(job.wanted.via);
  if (!way) return Fail(ErrorId::kUnreachable, job.wanted.via + ": not connected");
  job.fetch = transfer_.Fetch(transfer_.AskAt(*way), reply.sum.digest, reply.sum.size, Durability::kBestEffort,
                              [this, id = job.wanted.id, alive = std::weak_ptr(alive_)](Result<void> result) {
                                if (alive.lock()) Arrived(id, std::move(result));
                              });
  return {};
}

void RunSums::Arrived(std::int64_t id, Result<void> result) {
  const auto it = jobs_.find(id);
  if (it == jobs_.end()) return;
  it->second.fetch = 0;
  auto node = jobs_.extract(it);
  auto& job = node.mapped();
  const auto& reply = job.reply;
  if (result) result = seals_.OpenSum(job.wanted.round, job.wanted.via, reply);
  if (result) Release(job);
  const auto sum = result ? context_.artifacts.Map(reply.digest, store::Artifacts::Check::kNothing)
                          : Result<store::MappedArtifact>(Fail(result.error()));
  if (!sum) {
    const auto& error = sum.error();
    if (error.id == ErrorId::kNoSpace || error.id == ErrorId::kFileFailed) return hooks_.disk_failed(error);
    return hooks_.happened(federate::SumFailed{id, error});
  }
  const std::weak_ptr<bool> alive = alive_;
  hooks_.happened(federate::FetchedSum{id, reply.folded, std::move(job.failed), sum->View()});
  if (alive.lock() && !hooks_.needed(reply.digest)) context_.artifacts.Remove(reply.digest);
}

void RunSums::Failed(std::int64_t id, const Error& error) {
  if (jobs_.erase(id) == 0) return;
  hooks_.happened(federate::SumFailed{id, error});
}

// The relay need not keep the sum any longer.
void RunSums::Release(const Job& job) {
  const auto way = members_.WayTo(job.wanted.via);
  if (!way) return;
  const api::FoldRequest done{run_, job.wanted.round, {}, job.reply.sum.digest};
  context_.rpc.Call(*way, api::verb::kFlFold, ToJson(done), kShortPatience, [](const Result<wire::Envelope>&) {});
}

void RunSums::ForgetAll() {
  for (const auto& [id, job] : jobs_) {
    if (job.fetch != 0) transfer_.Cancel(job.fetch);
  }
  jobs_.clear();
}

}  // namespace ote::agent
