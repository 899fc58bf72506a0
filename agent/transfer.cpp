#include "agent/transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "core/base/log.h"
#include "crypto/sealed.h"

namespace ote::agent {
namespace {

std::int64_t Here(const store::Partial& partial) { return static_cast<std::int64_t>(partial.Offset()); }

}  // namespace

// One who waits for a digest, and where to get it for him.
struct Transfer::Waiter {
  Id id = 0;
  Ask ask;
  std::int64_t size = 0;
  Durability durability = Durability::kSynced;
  Done done;
};

// The fetch of one digest, for the first of those who wait; the others are served with it, or begin anew when it fails.
struct Transfer::Job {
  std::string digest;
  std::deque<Waiter> waiters;
  std::optional<store::Partial> partial;
  std::int64_t asked = 0;                      // up to where chunks were asked for
  std::map<std::int64_t, wire::Blob> arrived;  // ahead of their turn; at most kWindow
  int in_flight = 0;
  bool resumed = false;  // begun with what was there from an earlier time
  int tries = 0;
  std::int64_t piece = kPiece;
  std::uint64_t round = 0;  // counts the beginnings; answers to an earlier one are passed over
  Timers::Id pause = 0;
  bool over = false;
};

Transfer::Transfer(Context& context) : context_(context) {}

Transfer::~Transfer() {
  for (auto& [digest, job] : jobs_) context_.timers.Cancel(job->pause);
  context_.timers.Cancel(sweep_);
}

Result<void> Transfer::Start() {
  context_.rpc.Register(api::verb::kArtifactGet, kByMember | kByParent | kByOperator,
                        [this](Request request) { Serve(std::move(request)); });
  return {};
}

Transfer::Ask Transfer::AskAt(Destination at) {
  return [this, at = std::move(at)](std::string_view verb, Json body, std::chrono::milliseconds patience,
                                    Rpc::Continuation then) {
    context_.rpc.Call(at, verb, std::move(body), patience, std::move(then));
  };
}

void Transfer::Grant(const std::string& member, const std::string& digest) { ++grants_[member][digest]; }

void Transfer::Revoke(const std::string& member, const std::string& digest) {
  const auto of = grants_.find(member);
  if (of == grants_.end()) return;
  const auto it = of->second.find(digest);
  if (it == of->second.end() || --it->second > 0) return;
  of->second.erase(it);
  if (of->second.empty()) grants_.erase(of);
}

void Transfer::RevokeAll(const std::string& member) { grants_.erase(member); }

void Transfer::Offer(const std::string& digest) { ++offered_[digest]; }

void Transfer::Withdraw(const std::string& digest) {
  const auto it = offered_.find(digest);
  if (it != offered_.end() && --it->second <= 0) offered_.erase(it);
}

bool Transfer::Allowed(const Request& request, const std::string& digest) const {
  switch (request.who()) {
    case kByOperator:
      return true;
    case kByParent:
      return offered_.contains(digest);
    case kByMember: {
      const auto& name = request.caller().name;
      const auto of = grants_.find(name);
      if (of != grants_.end() && of->second.contains(digest)) return true;
      return below_ && std::ranges::any_of(grants_, [&](const auto& grant) {
               return grant.second.contains(digest) && below_(name, grant.first);
             });
    }
    default:
      return false;
  }
}

void Transfer::Serve(Request request) {
  const auto range = FromWire<api::ArtifactRange>(request.envelope().body);
  if (!range) return request.Refuse(range.error());
  if (!Allowed(request, range->digest)) {
    if (carrier_ && request.who() == kByMember) return carrier_(std::move(request), range->digest);
    return request.Refuse(Error{ErrorId::kPermission,
                                fmt::format("artifact {}: not for {}", range->digest,
                                            request.caller().name.empty() ? "this caller" : request.caller().name),
                                {}});
  }
  Answer(std::move(request), *range);
}

void Transfer::Answer(Request request) {
  const auto range = FromWire<api::ArtifactRange>(request.envelope().body);
  if (!range) return request.Refuse(range.error());
  Answer(std::move(request), *range);
}

void Transfer::Answer(Request request, const api::ArtifactRange& asked) {
  const auto* range = &asked;
  const auto found = Open(range->digest);
  if (!found) return request.Refuse(found.error());
  const auto& owner = (*found)->artifact;
  const auto whole = owner->View();
  const auto size = static_cast<std::int64_t>(whole.size());
  if (range->offset < 0 || range->length < 1 || range->offset >= std::max<std::int64_t>(size, 1)) {
    return request.Refuse(Error{
        ErrorId::kMalformed, fmt::format("artifact {}: bytes from {}, of {}", range->digest, range->offset, size), {}});
  }
  const auto length = std::min({range->length, size - range->offset, static_cast<std::int64_t>(wire::kMaxChunk)});
  const auto piece = whole.subspan(static_cast<std::size_t>(range->offset), static_cast<std::size_t>(length));
  sent_ += length;
  wire::Blob blob(piece, owner);
  if ((*found)->sealed) blob = std::move(blob).AsSealed();
  request.Answer(ToJson(api::ArtifactChunk{range->digest, range->offset, size}), std::move(blob));
}

// Mapped once for all of its pieces, and for all who fetch it at about the same time. Whoever fetches checks the
// digest.
Result<const Transfer::Opened*> Transfer::Open(const std::string& digest) {
  if (const auto it = open_.find(digest); it != open_.end()) {
    it->second.used = context_.clock.SteadyNow();
    return &it->second;
  }
  OTE_TRY(auto mapped, context_.artifacts.Map(digest, store::Artifacts::Check::kNothing));
  auto shared = std::make_shared<const store::MappedArtifact>(std::move(mapped));
  // What travels here is a model, an update or a sealed stream, and the first two cannot begin as the last one does.
  const Opened& opened = open_[digest] = {shared, context_.clock.SteadyNow(), crypto::LooksSealed(shared->View())};
  if (sweep_ == 0) sweep_ = context_.timers.At(context_.clock.SteadyNow() + kKeepOpen, [this] { CloseIdle(); });
  return &opened;
}

void Transfer::CloseIdle() {
  sweep_ = 0;
  const auto now = context_.clock.SteadyNow();
  std::erase_if(open_, [now](const auto& entry) { return now - entry.second.used >= kKeepOpen; });
  if (!open_.empty()) sweep_ = context_.timers.At(now + kKeepOpen, [this] { CloseIdle(); });
}

Transfer::Id Transfer::Fetch(Ask from, const std::string& digest, std::int64_t size, Durability durability, Done done) {
  const Id id = next_++;
  auto& job = jobs_[digest];
  const bool fresh = job == nullptr;
  if (fresh) {
    job = std::make_shared<Job>();
    job->digest = digest;
  }
  job->waiters.push_back({id, std::move(from), size, durability, std::move(done)});
  if (fresh) {
    // Not from within Fetch, so that `done` is not either.
    job->pause = context_.timers.At(context_.clock.SteadyNow(), [this, job = job] { Begin(job); });
  }
  return id;
}

void Transfer::Cancel(Id id) {
  for (auto& [digest, job] : jobs_) {
    const auto it = std::ranges::find(job->waiters, id, &Waiter::id);
    if (it == job->waiters.end()) continue;
    const bool first = it == job->waiters.begin();
    job->waiters.erase(it);
    if (!first) return;
    const auto held = job;  // the loop's reference goes with the entry
    ++held->round;
    held->partial.reset();
    held->arrived.clear();
    context_.timers.Cancel(held->pause);
    held->pause = 0;
    if (held->waiters.empty()) {
      held->over = true;
      jobs_.erase(held->digest);
    } else {
      held->pause = context_.timers.At(context_.clock.SteadyNow(), [this, held] { Begin(held); });
    }
    return;
  }
}

std::int64_t Transfer::Arrived(const std::string& digest) const {
  const auto it = jobs_.find(digest);
  return it == jobs_.end() || !it->second->partial ? 0 : Here(*it->second->partial);
}

void Transfer::Begin(const std::shared_ptr<Job>& job) {
  job->pause = 0;
  if (job->over) return;
  ++job->round;
  job->in_flight = 0;
  job->tries = 0;
  job->arrived.clear();
  if (context_.artifacts.Has(job->digest)) return Finish(job, {});
  if (on_begin_) on_begin_(job->digest);
  const auto size = job->waiters.front().size;
  auto partial = context_.artifacts.Begin(job->digest, static_cast<std::uint64_t>(size));
  if (!partial) return Finish(job, Fail(partial.error()));
  job->partial.emplace(std::move(*partial));
  job->asked = Here(*job->partial);
  job->resumed = job->asked > 0;
  if (job->asked >= size) return Finish(job, Place(*job));
  Fill(job);
}

void Transfer::Fill(const std::shared_ptr<Job>& job) {
  const auto size = job->waiters.front().size;
  while (job->in_flight + std::ssize(job->arrived) < kWindow && job->asked < size) {
    const auto offset = job->asked;
    const auto length = std::min(size - offset, job->piece);
    job->asked += length;
    AskPiece(job, offset, length);
  }
}

void Transfer::AskPiece(const std::shared_ptr<Job>& job, std::int64_t offset, std::int64_t length) {
  ++job->in_flight;
  const api::ArtifactRange range{job->digest, offset, length};
  job->waiters.front().ask(
      api::verb::kArtifactGet, ToJson(range), kPatience,
      [this, alive = std::weak_ptr<bool>(alive_), job, range, round = job->round](Result<wire::Envelope> answer) {
        if (alive.lock() && !job->over && job->round == round) Arrived(job, range, std::move(answer));
      });
}

void Transfer::Arrived(const std::shared_ptr<Job>& job, const api::ArtifactRange& range,
                       Result<wire::Envelope> answer) {
  --job->in_flight;
  if (!answer) {
    Error error = std::move(answer).error();
    if (error.id == ErrorId::kTimedOut || error.id == ErrorId::kBusy) return Again(job, error);
    const bool its_disk = error.id == ErrorId::kNoSpace || error.id == ErrorId::kFileFailed ||
                          error.id == ErrorId::kStoreFailed || error.id == ErrorId::kArtifactCorrupt;
    if (its_disk) error.id = ErrorId::kFailed;  // not to be taken for ours
    return Finish(job, Fail(std::move(error)));
  }
  if (auto taken = Take(*job, range, *answer); !taken) return Finish(job, std::move(taken));
  job->tries = 0;
  if (Here(*job->partial) >= job->waiters.front().size) return Finish(job, Place(*job));
  Fill(job);
}

// Puts what is whole into its place, as durably as the most careful of those who wait for it asks.
Result<void> Transfer::Place(Job& job) {
  const bool synced =
      std::ranges::any_of(job.waiters, [](const Waiter& waiter) { return waiter.durability == Durability::kSynced; });
  return job.partial->Finish(synced ? Durability::kSynced : Durability::kBestEffort);
}

// From what is written, and in smaller pieces when the line was too slow for the last ones.
void Transfer::Again(const std::shared_ptr<Job>& job, const Error& error) {
  if (++job->tries >= kTries) return Finish(job, Fail(error));
  ++job->round;
  job->in_flight = 0;
  job->arrived.clear();
  job->asked = Here(*job->partial);
  if (error.id == ErrorId::kTimedOut) {
    job->piece = std::max(kLeastPiece, job->piece / 2);
    return Fill(job);
  }
  job->pause = context_.timers.At(context_.clock.SteadyNow() + kBusyPause, [this, job] {
    job->pause = 0;
    Fill(job);
  });
}

// Pieces may come in another order than they were asked for; they are written in theirs.
Result<void> Transfer::Take(Job& job, const api::ArtifactRange& range, const wire::Envelope& answer) {
  const auto size = job.waiters.front().size;
  const auto rubbish = [&](std::string_view why) {
    return Fail(ErrorId::kUpdateDigest, fmt::format("artifact {}: {}", job.digest, why));
  };
  const auto chunk = FromWire<api::ArtifactChunk>(answer.body);
  if (!chunk) return rubbish("the answer cannot be read");
  if (chunk->digest != job.digest || chunk->offset != range.offset) {
    return rubbish("other bytes were sent than were asked for");
  }
  if (chunk->size != size) return rubbish(fmt::format("{} bytes were announced, it has {}", size, chunk->size));
  if (std::ssize(answer.blob.View()) != range.length) {
    return rubbish(fmt::format("{} bytes were asked for, {} were sent", range.length, answer.blob.size()));
  }
  received_ += range.length;
  job.arrived[range.offset] = answer.blob;
  for (auto it = job.arrived.find(Here(*job.partial)); it != job.arrived.end();
       it = job.arrived.find(Here(*job.partial))) {
    OTE_CHECK(job.partial->Append(it->second.View()));
    job.arrived.erase(it);
  }
  return {};
}

void Transfer::Finish(const std::shared_ptr<Job>& job, Result<void> result) {
  ++job->round;
  job->arrived.clear();
  if (!result && job->partial) {
    // What does not have its digest is of no use; what was cut off is.
    if (result.error().id == ErrorId::kUpdateDigest) job->partial->Discard();
    if (result.error().id == ErrorId::kArtifactCorrupt) {
      if (job->resumed) {
        // The bad part may be from an earlier time, and from another.
        job->partial.reset();
        return Begin(job);
      }
      result = Fail(ErrorId::kUpdateDigest, fmt::format("artifact {}: what was sent has another digest", job->digest));
    }
  }
  job->partial.reset();
  if (result) {
    job->over = true;
    jobs_.erase(job->digest);
    for (auto& waiter : std::exchange(job->waiters, {})) waiter.done({});
    return;
  }
  auto failed = std::move(job->waiters.front());
  job->waiters.pop_front();
  if (job->waiters.empty()) {
    job->over = true;
    jobs_.erase(job->digest);
  } else {
    job->pause = context_.timers.At(context_.clock.SteadyNow(), [this, job] { Begin(job); });
  }
  failed.done(std::move(result));
}

}  // namespace ote::agent
