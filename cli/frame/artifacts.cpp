#include "cli/frame/artifacts.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace ote::cli {

Result<wire::Envelope> FetchPiece(Context& context, AgentLink& link, const std::string& digest, std::int64_t offset,
                                  std::size_t most) {
  api::ArtifactRange range;
  range.digest = digest;
  range.offset = offset;
  range.length = static_cast<std::int64_t>(std::min(most, wire::kMaxChunk));
  OTE_TRY(wire::Envelope answer, link.Wire().Call(api::verb::kArtifactGet, ToJson(range), context.Patience(kQuick)));
  const std::size_t size = answer.blob.View().size();
  if (size == 0 || std::cmp_greater(size, range.length)) {
    return Fail(ErrorId::kProtocol, fmt::format("{}: a piece of {} bytes came", digest, size));
  }
  return answer;
}

Result<void> AgentUpload::Send() {
  api::ArtifactPut put{digest_, size_, 0};
  if (!there_) {
    OTE_TRY(const wire::Envelope answer,
            link_.Wire().Call(api::verb::kArtifactPut, ToJson(put), context_.Patience(kQuick)));
    OTE_TRY(const auto here, FromWire<api::ArtifactChunk>(answer.body));
    there_ = here.offset;
  }
  const auto end = from_ + static_cast<std::int64_t>(held_.size());
  if (*there_ >= from_ && *there_ < end) {
    const ByteView rest = ByteView(held_).subspan(static_cast<std::size_t>(*there_ - from_));
    put.offset = *there_;
    OTE_TRY(const wire::Envelope answer,
            link_.Wire().Call(api::verb::kArtifactPut, ToJson(put), context_.Patience(kQuick),
                              wire::Blob(Bytes(rest.begin(), rest.end()))));
    OTE_TRY(const auto here, FromWire<api::ArtifactChunk>(answer.body));
    if (here.offset < end) {
      return Fail(ErrorId::kProtocol,
                  fmt::format("artifact {}: the agent is at byte {} after {}", digest_, here.offset, end));
    }
    there_ = here.offset;
  }
  from_ = end;
  held_.clear();
  return {};
}

Result<void> AgentUpload::Take(ByteView piece) {
  while (!piece.empty()) {
    const auto take = std::min(piece.size(), wire::kMaxChunk - held_.size());
    held_.insert(held_.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(take));
    piece = piece.subspan(take);
    const bool last = std::cmp_equal(from_ + static_cast<std::int64_t>(held_.size()), size_);
    if (held_.size() == wire::kMaxChunk || last) OTE_CHECK(Send());
  }
  return {};
}

}  // namespace ote::cli
