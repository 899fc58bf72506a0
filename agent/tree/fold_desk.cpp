#include "agent/tree/fold_desk.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/api/requests.h"
#include "core/base/log.h"
#include "core/parcel/fold_seals.h"
#include "core/store/sealed_artifacts.h"
#include "crypto/digest.h"
#include "crypto/sealed.h"

namespace ote::agent {

using crypto::kSealedChunk;
using crypto::kSealedHeader;
using crypto::kSealedTag;

struct FoldDesk::Job {
  Job(Request asked, api::FoldWork of, federate::Grid grid)
      : request(std::move(asked)), work(std::move(of)), sum(static_cast<std::size_t>(work.count), grid) {}
  ~Job() {
    for (auto& item : work.items) crypto::Wipe(item.key);
    crypto::Wipe(update);
  }

  Request request;
  api::FoldWork work;
  federate::Accumulator sum;
  Bytes update;          // the one at hand, opened
  std::size_t next = 0;  // of the items, to be fetched
  std::map<std::size_t, Transfer::Id> fetches;
  std::int64_t taken_in = 0;  // bytes of those that are settled, as if all of them had arrived
  api::FoldReply reply;
  Timers::Id timer = 0;

  void Failed(const std::string& site, const Error& error) {
    reply.failed.push_back({site, static_cast<std::int64_t>(error.id), error.message});
  }
};

FoldDesk::FoldDesk(Context& context, Members& members, Transfer& transfer)
    : context_(context), members_(members), transfer_(transfer) {}

FoldDesk::~FoldDesk() {
  while (!jobs_.empty()) DropJob(jobs_.begin()->first);
  while (!sums_.empty()) Release(std::string(sums_.begin()->first));
}

void FoldDesk::Start() {
  context_.rpc.Register(api::verb::kFlFold, kByParent, [this](Request request) { Asked(std::move(request)); });
}

void FoldDesk::Asked(Request request) {
  const auto asked = FromWire<api::FoldRequest>(request.envelope().body);
  if (!asked) return request.Refuse(asked.error());
  if (!asked->done.empty()) Release(asked->done);
  if (asked->ask) return Tell(std::move(request), *asked);
  if (asked->work.empty()) return request.Answer(ToJson(api::FoldReply{}));
  auto work = parcel::OpenWork(*asked, context_.membership.name, context_.transport_key);
  if (!work) return request.Refuse(work.error());
  // A root that asks again does not wait for what it asked before.
  std::vector<std::uint64_t> old;
  for (const auto& [id, job] : jobs_) {
    if (job->work.run == work->run) old.push_back(id);
  }
  for (const auto id : old) {
    jobs_.at(id)->request.Refuse(Error{ErrorId::kRoundStale, "it was asked for anew", {}});
    DropJob(id);
  }
  if (jobs_.size() >= kMostSums) {
    return request.Refuse(Error{ErrorId::kBusy, fmt::format("{} sums are being made", jobs_.size()), {}});
  }
  Begin(std::move(request), std::move(*work));
}

void FoldDesk::Tell(Request request, const api::FoldRequest& asked) const {
  for (const auto& [id, job] : jobs_) {
    if (job->work.run != asked.run || job->work.round != asked.round) continue;
    api::FoldReply reply;
    reply.progress = Progress(*job);
    return request.Answer(ToJson(reply));
  }
  request.Refuse(Error{ErrorId::kRoundStale, fmt::format("round {}: nothing of it is folded here", asked.round), {}});
}

std::int64_t FoldDesk::Progress(const Job& job) const {
  auto progress = job.taken_in;
  for (const auto& [index, fetch] : job.fetches) progress += transfer_.Arrived(job.work.items[index].copy.digest);
  return progress;
}

void FoldDesk::Begin(Request request, api::FoldWork work) {
  const auto finest = federate::ChooseGrid(work.capacity);
  if (!finest || work.exponent > finest->exponent || work.count > kMostValues) {
    return request.Refuse(Error{ErrorId::kMalformed, "updates to fold: the grid is none", {}});
  }
  const federate::Grid grid{static_cast<int>(work.exponent), work.capacity};
  const auto id = next_++;
  log::Debug("folds updates", {{"run", work.run}, {"round", work.round}, {"updates", std::ssize(work.items)}});
  auto& job = *jobs_.emplace(id, std::make_unique<Job>(std::move(request), std::move(work), grid)).first->second;
  const auto time = job.work.time_ms > 0 ? std::min(kTime, std::chrono::milliseconds(job.work.time_ms)) : kTime;
  job.timer = context_.timers.At(context_.clock.SteadyNow() + time, [this, id] { Expire(id); });
  Fill(id);
}

void FoldDesk::Fill(std::uint64_t id) {
  auto& job = *jobs_.at(id);
  while (job.fetches.size() < kFetches && job.next < job.work.items.size()) {
    const auto index = job.next++;
    const auto& item = job.work.items[index];
    const auto way = members_.WayTo(item.site);
    if (!way) {
      job.Failed(item.site, Error{ErrorId::kUnreachable, item.site + ": not connected", {}});
      continue;
    }
    job.fetches[index] =
        transfer_.Fetch(transfer_.AskAt(*way), item.copy.digest, item.copy.size, Durability::kBestEffort,
                        [this, id, index, alive = std::weak_ptr<bool>(alive_)](Result<void> result) {
                          if (alive.lock()) Arrived(id, index, std::move(result));
                        });
  }
  if (job.fetches.empty()) Finish(id);
}

void FoldDesk::Arrived(std::uint64_t id, std::size_t index, Result<void> result) {
  const auto it = jobs_.find(id);
  if (it == jobs_.end()) return;
  auto& job = *it->second;
  job.fetches.erase(index);
  const auto& item = job.work.items[index];
  job.taken_in += item.copy.size;
  if (result) {
    result = Fold(job, item);
    context_.artifacts.Remove(item.copy.digest);
  }
  if (result) {
    job.reply.folded.push_back(item.site);
  } else {
    job.Failed(item.site, result.error());
  }
  Fill(id);
}

Result<void> FoldDesk::Fold(Job& job, const api::FoldItem& item) {
  OTE_TRY(const auto mapped, context_.artifacts.Map(item.copy.digest, store::Artifacts::Check::kNothing));
  ByteView rest = mapped.View();
  OTE_TRY(const auto size, crypto::PlainSize(rest.size()));
  job.update.resize(static_cast<std::size_t>(job.work.count) * sizeof(float));
  if (size != job.update.size()) {
    return Fail(ErrorId::kUpdateShape,
                fmt::format("the update has {} bytes, and the model needs {}", size, job.update.size()));
  }
  OTE_TRY(auto opener, crypto::Opener::WithStreamKey(item.key, rest.first(kSealedHeader)));
  rest = rest.subspan(kSealedHeader);
  std::span<std::uint8_t> out = job.update;
  for (std::uint64_t index = 0; !rest.empty(); ++index) {
    const std::size_t length = std::min(rest.size(), kSealedChunk + kSealedTag);
    OTE_CHECK(opener.Open(index, length == rest.size(), rest.first(length), out.first(length - kSealedTag)));
    rest = rest.subspan(length);
    out = out.subspan(length - kSealedTag);
  }
  if (crypto::DigestOf(job.update).ToString() != item.digest) {
    return Fail(ErrorId::kUpdateDigest, item.site + ": what was sealed has another digest");
  }
  return job.sum.FoldBytes(job.update, item.weight);
}

// What is there is passed on; the rest can be asked for again.
void FoldDesk::Expire(std::uint64_t id) {
  const auto it = jobs_.find(id);
  if (it == jobs_.end()) return;
  auto& job = *it->second;
  job.timer = 0;
  const Error late{ErrorId::kTimedOut, "it did not arrive in time", {}};
  for (const auto& [index, fetch] : std::exchange(job.fetches, {})) {
    transfer_.Cancel(fetch);
    job.Failed(job.work.items[index].site, late);
  }
  for (; job.next < job.work.items.size(); ++job.next) job.Failed(job.work.items[job.next].site, late);
  Finish(id);
}

void FoldDesk::Finish(std::uint64_t id) {
  auto& job = *jobs_.at(id);
  const auto sealed = job.reply.folded.empty() ? Result<void>{} : Seal(job);
  if (sealed) {
    job.request.Answer(ToJson(job.reply));
  } else {
    Error error = sealed.error();
    const bool own_disk = error.id == ErrorId::kNoSpace || error.id == ErrorId::kFileFailed;
    if (own_disk) error.id = ErrorId::kFailed;  // not to be taken for that of the root
    job.request.Refuse(error);
  }
  DropJob(id);
}

Result<void> FoldDesk::Seal(Job& job) {
  const Bytes plain = job.sum.Save();
  job.reply.digest = crypto::DigestOf(plain).ToString();
  job.reply.size = static_cast<std::int64_t>(plain.size());
  OTE_TRY(auto sealer, parcel::SealerOfSum(job.work, context_.membership.name, job.reply.digest));
  OTE_TRY(job.reply.sum, store::SealArtifact(context_.artifacts, std::move(sealer), plain, Durability::kBestEffort));
  const auto& digest = job.reply.sum.digest;
  transfer_.Offer(digest);
  sums_[digest] = context_.timers.At(context_.clock.SteadyNow() + kKeep, [this, digest] { Release(digest); });
  return {};
}

void FoldDesk::DropJob(std::uint64_t id) {
  const auto it = jobs_.find(id);
  if (it == jobs_.end()) return;
  auto& job = *it->second;
  context_.timers.Cancel(job.timer);
  for (const auto& [index, fetch] : job.fetches) transfer_.Cancel(fetch);
  jobs_.erase(it);
}

void FoldDesk::Release(const std::string& sum) {
  const auto it = sums_.find(sum);
  if (it == sums_.end()) return;
  context_.timers.Cancel(it->second);
  transfer_.Withdraw(sum);
  context_.artifacts.Remove(sum);
  sums_.erase(it);
}

}  // namespace ote::agent
