#include "agent/tree/fold_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/api/requests.h"
#include "core/base/units.h"
#include "core/federate/relay_sum.h"
#include "core/parcel/fold_seals.h"
#include "crypto/certificate.h"
#include "crypto/digest.h"
#include "crypto/sealed.h"
#include "crypto/secret.h"

namespace ote::agent {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kReleasePatience{30'000};

// What a child says is never taken for the own disk.
Error OfChild(Error error) {
  if (error.id == ErrorId::kNoSpace || error.id == ErrorId::kFileFailed) error.id = ErrorId::kFailed;
  return error;
}

}  // namespace

FoldCalls::~FoldCalls() {
  while (!calls_.empty()) Cancel(calls_.begin()->first);
}

milliseconds FoldCalls::Beat() const {
  return milliseconds(std::max<std::int64_t>(context_.membership.settings.heartbeat_ms, 50));
}

FoldCalls::Id FoldCalls::Ask(const std::string& child, api::FoldWork work, milliseconds patience, Open open,
                             Done done) {
  const auto id = next_++;
  const auto now = context_.clock.SteadyNow();
  const auto size = federate::RelaySum::SavedSize(work.masked, static_cast<std::size_t>(work.count));
  calls_[id] = {child, work.run, work.round, size, std::move(open), std::move(done), 0, {}, 0, 0, now, now};
  const auto sent = Send(id, work, patience);
  for (auto& item : work.items) crypto::Wipe(item.key);
  auto& timer = calls_.at(id).timer;
  if (sent) {
    timer = context_.timers.At(now + Beat(), [this, id] { Look(id); });
  } else {
    timer = context_.timers.At(now, [this, id, error = sent.error()] { End(id, Fail(error)); });
  }
  return id;
}

Result<void> FoldCalls::Send(Id id, api::FoldWork& work, milliseconds patience) {
  auto& call = calls_.at(id);
  const auto& child = call.child;
  const auto* certificate = members_.CertificateOf(child);
  const auto way = members_.WayTo(child);
  if (certificate == nullptr || !way) return Fail(ErrorId::kUnreachable, child + ": not connected");
  OTE_TRY(const auto paper, FromCbor<crypto::CertificateBody>(certificate->body));
  OTE_TRY(const auto request, parcel::SealWork(work, child, paper.Transport()));
  call.work = context_.rpc.Call(*way, api::verb::kFlFold, ToJson(request), patience,
                                [this, id, alive = std::weak_ptr(alive_)](const Result<wire::Envelope>& answer) {
                                  if (alive.lock()) Answered(id, answer);
                                });
  return {};
}

void FoldCalls::Look(Id id) {
  auto& call = calls_.at(id);
  call.timer = 0;
  if (call.opening) return;  // nothing is waited for that the child has
  const auto now = context_.clock.SteadyNow();
  const auto silence = std::max(kSilence, 3 * Beat());
  if (now - call.heard >= silence) {
    return End(id, Fail(ErrorId::kTimedOut, "it has not answered for " + FormatDuration(silence)));
  }
  // The fetch of a sum that is made has bounds of its own.
  if (call.fetch == 0 && now - call.moved >= kStall) {
    return End(id, Fail(ErrorId::kTimedOut, "it got no further for " + FormatDuration(kStall)));
  }
  call.timer = context_.timers.At(now + Beat(), [this, id] { Look(id); });
  const auto way = members_.WayTo(call.child);
  if (call.asking || !way) return;
  call.asking = true;
  context_.rpc.Call(*way, api::verb::kFlFold, ToJson(api::FoldRequest{call.run, call.round, {}, {}, true}), silence,
                    [this, id, alive = std::weak_ptr(alive_)](const Result<wire::Envelope>& answer) {
                      if (alive.lock()) Told(id, answer);
                    });
}

void FoldCalls::Told(Id id, const Result<wire::Envelope>& answer) {
  const auto it = calls_.find(id);
  if (it == calls_.end()) return;
  auto& call = it->second;
  call.asking = false;
  const bool stale = !answer && answer.error().id == ErrorId::kRoundStale;
  if (!answer && !stale) return;
  call.heard = context_.clock.SteadyNow();
  if (call.fetch != 0 || call.opening) return;
  // Its answer to the work would have come first.
  if (stale) return End(id, Fail(ErrorId::kFailed, "it is not at work on it any more"));
  const auto reply = FromWire<api::FoldReply>(answer->body);
  const bool tells = reply && reply->progress;  // an older one does not
  if (tells && *reply->progress <= call.progress) return;
  if (tells) call.progress = *reply->progress;
  call.moved = call.heard;
}

void FoldCalls::Answered(Id id, const Result<wire::Envelope>& answer) {
  const auto it = calls_.find(id);
  if (it == calls_.end()) return;
  if (!answer) return End(id, Fail(OfChild(answer.error())));
  if (auto taken = Take(id, it->second, *answer); !taken) End(id, Fail(std::move(taken).error()));
}

Result<void> FoldCalls::Take(Id id, Call& call, const wire::Envelope& answer) {
  OTE_TRY(call.reply, FromWire<api::FoldReply>(answer.body));
  const auto& reply = call.reply;
  if (reply.folded.empty()) {
    return Fail(ErrorId::kFailed, reply.failed.empty() ? "it folded nothing" : reply.failed.front().message);
  }
  if (!std::cmp_equal(reply.size, call.size) || !std::cmp_equal(reply.sum.size, crypto::SealedSize(call.size)) ||
      !crypto::Digest::Parse(reply.digest) || !crypto::Digest::Parse(reply.sum.digest) ||
      reply.digest == reply.sum.digest) {
    return Fail(ErrorId::kUpdateShape, "its sum is not one of this model");
  }
  const auto way = members_.WayTo(call.child);
  if (!way) return Fail(ErrorId::kUnreachable, call.child + ": not connected");
  call.heard = context_.clock.SteadyNow();
  call.fetch = transfer_.Fetch(transfer_.AskAt(*way), reply.sum.digest, reply.sum.size, Durability::kBestEffort,
                               [this, id, alive = std::weak_ptr(alive_)](Result<void> result) {
                                 if (alive.lock()) Arrived(id, std::move(result));
                               });
  return {};
}

void FoldCalls::Arrived(Id id, Result<void> result) {
  const auto it = calls_.find(id);
  if (it == calls_.end()) return;
  auto& call = it->second;
  call.fetch = 0;
  if (!result) return End(id, Fail(std::move(result).error()));
  call.opening = true;
  call.open(call.reply, [this, id, alive = std::weak_ptr(alive_)](const Result<void>& opened) {
    if (alive.lock()) Taken(id, opened);
  });
}

void FoldCalls::Taken(Id id, const Result<void>& opened) {
  const auto it = calls_.find(id);
  if (it == calls_.end()) return;
  auto& call = it->second;
  context_.artifacts.Remove(call.reply.sum.digest);
  if (!opened) return End(id, Fail(opened.error()));
  // The child need not keep the sum any longer.
  if (const auto way = members_.WayTo(call.child)) {
    const api::FoldRequest done{call.run, call.round, {}, call.reply.sum.digest, false};
    context_.rpc.Call(*way, api::verb::kFlFold, ToJson(done), kReleasePatience, [](const Result<wire::Envelope>&) {});
  }
  End(id, std::move(call.reply));
}

void FoldCalls::End(Id id, Result<api::FoldReply> result) {
  auto done = std::move(calls_.at(id).done);
  Cancel(id);
  done(std::move(result));
}

void FoldCalls::Cancel(Id id) {
  const auto it = calls_.find(id);
  if (it == calls_.end()) return;
  context_.timers.Cancel(it->second.timer);
  context_.rpc.Cancel(it->second.work);  // when it was not answered: the child lets go of it, too
  if (it->second.fetch != 0) transfer_.Cancel(it->second.fetch);
  calls_.erase(it);
}

std::int64_t FoldCalls::Progress(Id id) const {
  const auto it = calls_.find(id);
  return it == calls_.end() ? 0 : it->second.progress;
}

}  // namespace ote::agent
