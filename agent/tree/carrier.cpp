#include "agent/tree/carrier.h"

#include <algorithm>
#include <utility>

#include "core/base/log.h"

namespace ote::agent {

Carrier::~Carrier() { context_.timers.Cancel(sweep_); }

void Carrier::Start() {
  transfer_.SetCarrier([this](Request request, const std::string& digest) { Ask(std::move(request), digest); });
}

void Carrier::Ask(Request request, const std::string& digest) {
  // Whatever is asked for, nothing is remembered of it beyond the bound.
  if (waiting_ >= kMostWaiting && !carried_.contains(digest))
    return request.Refuse(Error{ErrorId::kBusy, "too many wait for what is fetched from above", {}});
  auto& carried = carried_[digest];
  carried.used = context_.clock.SteadyNow();
  if (sweep_ == 0) Sweep();
  if (carried.here && context_.artifacts.Has(digest)) return transfer_.Answer(std::move(request));
  if (waiting_ >= kMostWaiting)
    return request.Refuse(Error{ErrorId::kBusy, "too many wait for what is fetched from above", {}});
  const auto id = next_++;
  carried.waiting.emplace_back(id, std::move(request));
  ++waiting_;
  context_.timers.At(context_.clock.SteadyNow() + kHold, [this, alive = std::weak_ptr<bool>(alive_), digest, id] {
    if (!alive.lock()) return;
    const auto it = carried_.find(digest);
    if (it == carried_.end()) return;
    auto& waiting = it->second.waiting;
    const auto held = std::ranges::find(waiting, id, [](const auto& entry) { return entry.first; });
    if (held == waiting.end()) return;
    held->second.Refuse(Error{ErrorId::kBusy, "it is still being fetched from above", {}});
    waiting.erase(held);
    --waiting_;
  });
  if (!std::exchange(carried.under_way, true)) Fetch(digest);
}

void Carrier::Fetch(const std::string& digest) {
  // How large it is its first byte tells.
  uplink_.Call(api::verb::kArtifactGet, ToJson(api::ArtifactRange{digest, 0, 1}), Transfer::kPatience,
               [this, digest, alive = std::weak_ptr<bool>(alive_)](const Result<wire::Envelope>& answer) {
                 if (!alive.lock()) return;
                 const auto chunk = answer ? FromWire<api::ArtifactChunk>(answer->body)
                                           : Result<api::ArtifactChunk>(Fail(answer.error()));
                 if (!chunk) return Arrived(digest, Fail(chunk.error()));
                 carried_[digest].ours = !context_.artifacts.Has(digest);
                 transfer_.Fetch(uplink_.Asker(), digest, chunk->size, Durability::kBestEffort,
                                 [this, digest, alive](const Result<void>& result) {
                                   if (alive.lock()) Arrived(digest, result);
                                 });
               });
}

void Carrier::Arrived(const std::string& digest, const Result<void>& result) {
  auto& carried = carried_[digest];
  carried.under_way = false;
  carried.here = result.has_value();
  for (auto& [id, request] : std::exchange(carried.waiting, {})) {
    --waiting_;
    if (result) {
      transfer_.Answer(std::move(request));
    } else {
      auto error = result.error();
      // The trouble of a line further up passes as those of a line do.
      if (error.id == ErrorId::kUnreachable || error.id == ErrorId::kTimedOut || error.id == ErrorId::kNoSpace)
        error.id = ErrorId::kBusy;
      request.Refuse(error);
    }
  }
  if (!result) carried_.erase(digest);
}

void Carrier::Sweep() {
  const auto now = context_.clock.SteadyNow();
  for (auto it = carried_.begin(); it != carried_.end();) {
    const auto& carried = it->second;
    if (carried.under_way || now - carried.used < kKeep) {
      ++it;
      continue;
    }
    if (carried.ours && !needed_(it->first)) context_.artifacts.Remove(it->first);
    it = carried_.erase(it);
  }
  sweep_ = 0;
  if (carried_.empty()) return;
  sweep_ = context_.timers.At(now + kKeep / 4, [this] { Sweep(); });
}

}  // namespace ote::agent
