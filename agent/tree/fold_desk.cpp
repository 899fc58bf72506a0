#include "agent/tree/fold_desk.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <set>
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

namespace {

// A child that takes all of its time leaves enough to fetch what it did not fold.
std::chrono::milliseconds TimeOfChild(std::chrono::milliseconds own) { return own * 3 / 4; }

// Opens the stream that is `sealed` into `out`, which has its plain size.
Result<void> OpenInto(ByteView sealed, crypto::Opener opener, std::span<std::uint8_t> out) {
  ByteView rest = sealed.subspan(kSealedHeader);
  for (std::uint64_t index = 0; !rest.empty(); ++index) {
    const std::size_t length = std::min(rest.size(), kSealedChunk + kSealedTag);
    OTE_CHECK(opener.Open(index, length == rest.size(), rest.first(length), out.first(length - kSealedTag)));
    rest = rest.subspan(length);
    out = out.subspan(length - kSealedTag);
  }
  return {};
}

}  // namespace

// What a child of this relay is to add up.
struct FoldDesk::Below {
  FoldCalls::Id call = 0;
  std::vector<std::size_t> items;
};

struct FoldDesk::Job {
  Job(Request asked, api::FoldWork of, federate::RelaySum empty)
      : request(std::move(asked)), work(std::move(of)), sum(std::move(empty)) {}
  ~Job() {
    for (auto& item : work.items) crypto::Wipe(item.key);
    crypto::Wipe(update);
  }

  Request request;
  api::FoldWork work;
  federate::RelaySum sum;
  Bytes update;                  // the one at hand, opened
  std::deque<std::size_t> next;  // of the items, to be fetched
  std::map<std::size_t, Transfer::Id> fetches;
  std::map<std::string, Below> below;       // by child
  std::optional<crypto::TransportKey> key;  // to which the sums of children are sealed
  std::int64_t taken_in = 0;                // bytes of those that are settled, as if all of them had arrived
  api::FoldReply reply;
  Timers::Id timer = 0;

  void Failed(const std::string& site, const Error& error) {
    reply.failed.push_back({site, static_cast<std::int64_t>(error.id), error.message});
  }
};

FoldDesk::FoldDesk(Context& context, Members& members, Transfer& transfer)
    : context_(context), members_(members), transfer_(transfer), calls_(context, members, transfer) {}

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
  for (const auto& [child, below] : job.below) progress += calls_.Progress(below.call);
  return progress;
}

void FoldDesk::Begin(Request request, api::FoldWork work) {
  auto sum = federate::RelaySum::For(work, kMostValues);
  if (!sum) return request.Refuse(sum.error());
  const auto id = next_++;
  log::Debug("folds updates", {{"run", work.run}, {"round", work.round}, {"updates", std::ssize(work.items)}});
  auto& job =
      *jobs_.emplace(id, std::make_unique<Job>(std::move(request), std::move(work), std::move(*sum))).first->second;
  job.request.OnGone([this, id] {
    jobs_.at(id)->request.Refuse(Error{ErrorId::kInterrupted, "nobody waits for the sum any more", {}});
    DropJob(id);
  });
  const auto time = job.work.time_ms > 0 ? std::min(kTime, std::chrono::milliseconds(job.work.time_ms)) : kTime;
  job.timer = context_.timers.At(context_.clock.SteadyNow() + time, [this, id] { Expire(id); });
  Share(id, TimeOfChild(time));
  Fill(id);
}

// Children that are relays add up what is behind them; the rest is fetched from here.
void FoldDesk::Share(std::uint64_t id, std::chrono::milliseconds time) {
  auto& job = *jobs_.at(id);
  std::map<std::string, std::vector<std::size_t>> behind;
  for (std::size_t index = 0; index < job.work.items.size(); ++index) {
    const auto& site = job.work.items[index].site;
    const auto child = members_.ChildTowards(site);
    if (child.empty() || child == site) {
      job.next.push_back(index);
    } else {
      behind[child].push_back(index);
    }
  }
  for (auto& [child, items] : behind) {
    if (items.size() > 1) {
      AskBelow(id, child, std::move(items), time);
    } else {
      job.next.push_back(items.front());
    }
  }
}

void FoldDesk::AskBelow(std::uint64_t id, const std::string& child, std::vector<std::size_t> items,
                        std::chrono::milliseconds time) {
  auto& job = *jobs_.at(id);
  if (!job.key) job.key = crypto::TransportKey::Generate();
  auto work = job.work;
  const auto& key = job.key->Public().bytes;
  work.answer_key.assign(key.begin(), key.end());
  work.time_ms = time.count();
  for (auto& item : work.items) crypto::Wipe(item.key);
  work.items.clear();
  for (const auto index : items) work.items.push_back(job.work.items[index]);
  auto& below = job.below[child];
  below.items = std::move(items);
  below.call = calls_.Ask(
      child, std::move(work), time + time / 4,
      [this, id, child](const api::FoldReply& reply, const FoldCalls::Opened& opened) {
        opened(TakeBelow(*jobs_.at(id), child, reply));
      },
      [this, id, child](Result<api::FoldReply> reply) { ToldBelow(id, child, std::move(reply)); });
}

// As the root does with sums, nothing is believed that can be checked. The sum is opened in memory.
Result<void> FoldDesk::TakeBelow(Job& job, const std::string& child, const api::FoldReply& reply) {
  const auto& items = job.below.at(child).items;
  std::set<std::string_view> seen;
  std::int64_t weight = 0;
  for (const auto& site : reply.folded) {
    const auto it = std::ranges::find_if(items, [&](std::size_t index) { return job.work.items[index].site == site; });
    if (it == items.end() || !seen.insert(site).second) {
      return Fail(ErrorId::kUpdateUnasked, "its sum has a site in it that was not asked for");
    }
    weight += job.work.items[*it].weight;
  }
  OTE_TRY(const auto mapped, context_.artifacts.Map(reply.sum.digest, store::Artifacts::Check::kNothing));
  OTE_TRY(auto opener, parcel::OpenerOfSum(job.work.run, job.work.round, child, reply.digest, *job.key,
                                           mapped.View().first(kSealedHeader)));
  Bytes plain(static_cast<std::size_t>(reply.size));
  OTE_CHECK(OpenInto(mapped.View(), std::move(opener), plain));
  if (crypto::DigestOf(plain).ToString() != reply.digest) {
    return Fail(ErrorId::kUpdateDigest, "its sum has another digest than it says");
  }
  return job.sum.Merge(plain, weight);
}

// What a child did not fold, for whatever reason, is fetched from here.
void FoldDesk::ToldBelow(std::uint64_t id, const std::string& child, Result<api::FoldReply> reply) {
  auto& job = *jobs_.at(id);
  const auto node = job.below.extract(child);
  std::set<std::string_view> folded;
  if (reply) {
    folded.insert(reply->folded.begin(), reply->folded.end());
  } else {
    log::Warn("no sum from a relay below", {{"cluster", child}, {"why", reply.error().message}});
  }
  for (const auto index : node.mapped().items) {
    const auto& item = job.work.items[index];
    job.taken_in += item.copy.size;
    if (folded.contains(item.site)) {
      job.reply.folded.push_back(item.site);
    } else {
      job.next.push_back(index);
    }
  }
  Fill(id);
}

void FoldDesk::Fill(std::uint64_t id) {
  auto& job = *jobs_.at(id);
  while (job.fetches.size() < kFetches && !job.next.empty()) {
    const auto index = job.next.front();
    job.next.pop_front();
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
  if (job.fetches.empty() && job.below.empty()) Finish(id);
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
  const ByteView sealed = mapped.View();
  OTE_TRY(const auto size, crypto::PlainSize(sealed.size()));
  job.update.resize(static_cast<std::size_t>(job.work.size));
  if (size != job.update.size()) {
    return Fail(ErrorId::kUpdateShape,
                fmt::format("the update has {} bytes, and the model needs {}", size, job.update.size()));
  }
  OTE_TRY(auto opener, crypto::Opener::WithStreamKey(item.key, sealed.first(kSealedHeader)));
  OTE_CHECK(OpenInto(sealed, std::move(opener), job.update));
  if (crypto::DigestOf(job.update).ToString() != item.digest) {
    return Fail(ErrorId::kUpdateDigest, item.site + ": what was sealed has another digest");
  }
  return job.sum.Fold(job.update, item.weight);
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
  for (const auto& [child, below] : std::exchange(job.below, {})) {
    calls_.Cancel(below.call);
    job.next.insert(job.next.end(), below.items.begin(), below.items.end());
  }
  for (const auto index : std::exchange(job.next, {})) job.Failed(job.work.items[index].site, late);
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
  for (const auto& [child, below] : job.below) calls_.Cancel(below.call);
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
