#include "core/simulate/courier.h"

#include <algorithm>

#include "crypto/digest.h"

namespace ote::simulate {

Result<wire::Envelope> Courier::Pass(const wire::Envelope& envelope) {
  const Bytes header = wire::EncodeHeader(envelope);
  ++messages_;
  bytes_ += static_cast<std::int64_t>(header.size() + envelope.blob.size());
  OTE_TRY(wire::Envelope out, wire::DecodeHeader(header));
  out.blob = envelope.blob;
  return out;
}

Result<Bytes> Courier::Carry(const std::string& digest, ByteView artifact) {
  Bytes out;
  out.reserve(artifact.size());
  do {
    api::ArtifactRange wanted;
    wanted.digest = digest;
    wanted.offset = static_cast<std::int64_t>(out.size());
    wanted.length = static_cast<std::int64_t>(wire::kMaxChunk);
    OTE_TRY(const wire::Envelope request, Pass(wire::MakeRequest(++id_, api::verb::kArtifactGet, ToJson(wanted))));
    OTE_TRY(const auto range, FromWire<api::ArtifactRange>(request.body));
    const auto offset = static_cast<std::size_t>(range.offset);
    const ByteView piece = artifact.subspan(
        offset, std::min({artifact.size() - offset, static_cast<std::size_t>(range.length), wire::kMaxChunk}));
    const api::ArtifactChunk chunk{digest, range.offset, static_cast<std::int64_t>(artifact.size())};
    OTE_TRY(const wire::Envelope reply, Pass(wire::MakeReply(request, ToJson(chunk), wire::Blob(piece, nullptr))));
    const ByteView arrived = reply.blob.View();
    out.insert(out.end(), arrived.begin(), arrived.end());
  } while (out.size() < artifact.size());
  if (crypto::DigestOf(out).ToString() != digest) {
    return Fail(ErrorId::kUpdateDigest, "what arrived is not " + digest);
  }
  return out;
}

}  // namespace ote::simulate
