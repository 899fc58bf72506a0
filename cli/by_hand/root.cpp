#include "cli/by_hand/root.h"

#include <fmt/format.h>

#include "core/base/version.h"
#include "core/wire/envelope.h"

namespace ote::cli {

bundle::Header HeaderOfRoot(const store::Membership& root, std::string_view kind, const std::string& to,
                            const Bytes& to_key) {
  bundle::Header header;
  header.kind = kind;
  header.issuer = root.name;
  header.certificate = root.certificate;
  header.receiver = to;
  header.receiver_key = to_key;
  header.authority = crypto::ToBytes(crypto::FingerprintOf(root.AuthorityKey()));
  header.successions = root.successions;
  header.version = Version();
  return header;
}

Result<crypto::SigningKey> SignKeyOf(const AgentLink& link) {
  OTE_TRY(const auto own, link.Member().Own());
  OTE_TRY(auto sign, link.Folder().SignKey());
  if (sign.Public() != own.SignKey()) {
    return Fail(ErrorId::kBusy, fmt::format("{}: its keys are being changed", link.Member().name), "try again");
  }
  return sign;
}

bundle::Content AgentArtifact(Context& context, AgentLink& link, const std::string& digest, std::int64_t size) {
  return {{digest, size}, [&context, &link, digest](std::uint64_t offset, std::span<std::uint8_t> out) -> Result<void> {
            while (!out.empty()) {
              api::ArtifactRange range;
              range.digest = digest;
              range.offset = static_cast<std::int64_t>(offset);
              range.length = static_cast<std::int64_t>(std::min(out.size(), wire::kMaxChunk));
              OTE_TRY(const wire::Envelope answer,
                      link.Wire().Call(api::verb::kArtifactGet, ToJson(range), context.Patience(kQuick)));
              const ByteView piece = answer.blob.View();
              if (piece.empty() || piece.size() > out.size()) {
                return Fail(ErrorId::kProtocol, fmt::format("{}: a piece of {} bytes came", digest, piece.size()));
              }
              std::copy(piece.begin(), piece.end(), out.begin());
              out = out.subspan(piece.size());
              offset += piece.size();
            }
            return {};
          }};
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
