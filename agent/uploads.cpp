#include "agent/uploads.h"

#include <fmt/format.h>

#include <algorithm>

namespace ote::agent {

Result<void> Uploads::Start() {
  context_.rpc.Register(api::verb::kArtifactPut, kByOperator, [this](Request request) {
    const auto body = FromWire<api::ArtifactPut>(request.envelope().body);
    if (!body) return request.Refuse(body.error());
    const auto answer = Put(*body, request.envelope().blob.View());
    if (!answer) return request.Refuse(answer.error());
    request.Answer(ToJson(*answer));
  });
  // One at a time writes to what has arrived of a digest; a fetch goes on with what was uploaded.
  transfer_.OnBegin([this](const std::string& digest) { open_.erase(digest); });
  return {};
}

Result<api::ArtifactChunk> Uploads::Put(const api::ArtifactPut& put, ByteView piece) {
  OTE_CHECK(crypto::Digest::Parse(put.digest));
  if (put.size < 1 || put.size > kLargest) {
    return Fail(ErrorId::kMalformed,
                fmt::format("artifact {}: from 1 to {} bytes, not {}", put.digest, kLargest, put.size));
  }
  const api::ArtifactChunk whole{put.digest, put.size, put.size};
  if (context_.artifacts.Has(put.digest)) {
    OTE_TRY(const auto size, context_.artifacts.Size(put.digest));
    if (std::cmp_equal(size, put.size)) return whole;
    return Fail(ErrorId::kMalformed, fmt::format("artifact {}: it has {} bytes, not {}", put.digest, size, put.size));
  }
  OTE_TRY(auto* const open, OpenFor(put));
  auto& partial = open->partial;
  const auto here = static_cast<std::int64_t>(partial.Offset());
  // A piece that was sent twice is passed over: the answer says where to go on.
  if (!piece.empty() && put.offset == here) {
    if (auto appended = partial.Append(piece); !appended) {
      open_.erase(put.digest);
      return Fail(std::move(appended).error());
    }
  }
  if (partial.Offset() < partial.Size()) {
    return api::ArtifactChunk{put.digest, static_cast<std::int64_t>(partial.Offset()), put.size};
  }
  auto finished = partial.Finish();
  open_.erase(put.digest);
  if (!finished) return Fail(std::move(finished).error());
  return whole;
}

Result<Uploads::Open*> Uploads::OpenFor(const api::ArtifactPut& put) {
  const auto now = context_.clock.SteadyNow();
  auto it = open_.find(put.digest);
  if (it != open_.end() && std::cmp_not_equal(it->second.partial.Size(), put.size)) {
    open_.erase(it);
    it = open_.end();
  }
  if (it == open_.end()) {
    if (transfer_.Fetching(put.digest)) {
      return Fail(ErrorId::kBusy, fmt::format("artifact {}: it is being fetched just now", put.digest));
    }
    if (open_.size() >= kMostOpen) {
      open_.erase(std::ranges::min_element(open_, {}, [](const auto& entry) { return entry.second.used; }));
    }
    OTE_TRY(auto partial, context_.artifacts.Begin(put.digest, static_cast<std::uint64_t>(put.size)));
    it = open_.emplace(put.digest, Open{std::move(partial), now}).first;
  }
  it->second.used = now;
  if (sweep_ == 0) sweep_ = context_.timers.At(now + kKeepOpen, [this] { CloseIdle(); });
  return &it->second;
}

void Uploads::CloseIdle() {
  sweep_ = 0;
  const auto now = context_.clock.SteadyNow();
  std::erase_if(open_, [now](const auto& entry) { return now - entry.second.used >= kKeepOpen; });
  if (!open_.empty()) sweep_ = context_.timers.At(now + kKeepOpen, [this] { CloseIdle(); });
}

}  // namespace ote::agent
