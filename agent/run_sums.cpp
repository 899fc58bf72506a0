#include "agent/run_sums.h"

#include <utility>

#include "agent/tree/fold_desk.h"

namespace ote::agent {
namespace {

// More than a relay takes at most.
constexpr auto kPatience = FoldDesk::kTime + FoldDesk::kTime / 4;

}  // namespace

void RunSums::Fetch(const federate::FetchSum& wanted) {
  const auto id = wanted.id;
  auto& job = jobs_[id] = Job{wanted, {}, 0, 0};
  auto work = WorkOf(job);
  if (work.items.empty()) {
    const Error error{ErrorId::kUnsupported, "no site behind it says what its update is sealed with", {}};
    context_.timers.At(context_.clock.SteadyNow(), [this, id, error, alive = std::weak_ptr(alive_)] {
      if (alive.lock()) Made(id, Fail(error));
    });
    return;
  }
  const auto open = [this, id, round = wanted.round, via = wanted.via](const api::FoldReply& reply,
                                                                       FoldCalls::Opened opened) {
    jobs_.at(id).opening = openings_.Begin(seals_.SumToOpen(round, via, reply), Durability::kBestEffort,
                                           [opened = std::move(opened), via](Result<void> result) {
                                             if (!result)
                                               result =
                                                   Fail(std::move(result).error().Context("the sealed sum of " + via));
                                             opened(std::move(result));
                                           });
  };
  job.call = calls_.Ask(wanted.via, std::move(work), kPatience, open,
                        [this, id](Result<api::FoldReply> made) { Made(id, std::move(made)); });
}

api::FoldWork RunSums::WorkOf(Job& job) {
  const auto& wanted = job.wanted;
  api::FoldWork work;
  work.run = run_;
  work.round = wanted.round;
  work.count = static_cast<std::int64_t>(wanted.form.values);
  work.vectors = static_cast<std::int64_t>(wanted.form.vectors);
  work.size = static_cast<std::int64_t>(federate::SizeOf(wanted.form));
  if (wanted.form.Compressed()) work.compression = wanted.form.compression;
  work.exponent = wanted.grid.exponent;
  work.capacity = wanted.grid.capacity;
  work.masked = wanted.masked;
  work.answer_key = seals_.AnswerKey();
  work.time_ms = FoldDesk::kTime.count();
  for (const auto& item : wanted.items) {
    auto sealed = seals_.ToFold(item.site, item.digest);
    if (!sealed) {
      job.failed.push_back({item.site, sealed.error()});
      continue;
    }
    sealed->weight = item.weight;
    work.items.push_back(std::move(*sealed));
  }
  return work;
}

void RunSums::Made(std::int64_t id, Result<api::FoldReply> made) {
  auto node = jobs_.extract(id);
  if (node.empty()) return;
  auto& job = node.mapped();
  const auto sum = made ? context_.artifacts.Map(made->digest, store::Artifacts::Check::kNothing)
                        : Result<store::MappedArtifact>(Fail(made.error()));
  if (!sum) {
    const auto& error = sum.error();
    if (error.id == ErrorId::kNoSpace || error.id == ErrorId::kFileFailed) return hooks_.disk_failed(error);
    return hooks_.happened(federate::SumFailed{id, error});
  }
  for (const auto& failed : made->failed) {
    const bool known = failed.code > 0 && failed.code < 10'000;
    job.failed.push_back(
        {failed.site, {known ? static_cast<ErrorId>(failed.code) : ErrorId::kFailed, failed.message, {}}});
  }
  const std::weak_ptr<bool> alive = alive_;
  hooks_.happened(federate::FetchedSum{id, made->folded, std::move(job.failed), sum->View()});
  if (alive.lock() && !hooks_.needed(made->digest)) context_.artifacts.Remove(made->digest);
}

void RunSums::ForgetAll() {
  for (const auto& [id, job] : jobs_) {
    calls_.Cancel(job.call);
    openings_.Cancel(job.opening);
  }
  jobs_.clear();
}

}  // namespace ote::agent
