// Where a model's file comes from: this machine, or the agent, piece by piece.
#include <fmt/format.h>

#include "cli/frame/artifacts.h"
#include "cli/frame/link.h"
#include "cli/model/commands.h"
#include "core/base/files.h"
#include "crypto/digest.h"

namespace ote::cli {
namespace {

constexpr std::int64_t kLargest = 1LL << 36;

}  // namespace

Result<Bytes> FetchArtifact(Context& context, AgentLink& link, const std::string& digest,
                            std::optional<std::int64_t> size) {
  Bytes bytes;
  do {
    if (size && (*size < 0 || *size > kLargest))
      return Fail(ErrorId::kProtocol, fmt::format("{}: says that it has {} bytes", digest, *size));
    const auto at = static_cast<std::int64_t>(bytes.size());
    if (size == at) break;
    const std::size_t most = size ? static_cast<std::size_t>(*size - at) : wire::kMaxChunk;
    OTE_TRY(const wire::Envelope answer, FetchPiece(context, link, digest, at, most));
    if (!size) {
      OTE_TRY(const auto told, FromWire<api::ArtifactChunk>(answer.body));
      size = told.size;
    }
    const ByteView piece = answer.blob.View();
    bytes.insert(bytes.end(), piece.begin(), piece.end());
  } while (std::cmp_less(bytes.size(), *size));
  if (crypto::DigestOf(bytes).ToString() != digest) {
    return Fail(ErrorId::kArtifactCorrupt, fmt::format("{}: what came has another digest", digest));
  }
  return bytes;
}

bool IsModelFile(const Context& context, const std::string& model) {
  std::error_code ignored;
  return model.ends_with(".safetensors") ||
         (model.find('/') != std::string::npos && std::filesystem::exists(context.Absolute(model), ignored));
}

Result<Bytes> FetchModelFile(Context& context, const std::string& model, api::ModelEntry* entry) {
  if (IsModelFile(context, model)) return ReadFile(context.Absolute(model));
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  auto shown = link.Ask<api::ModelEntry>(api::verb::kModelShow, api::NameRequest{model}, context.Patience(kQuick));
  if (!shown) return Fail(std::move(shown).error());
  if (entry != nullptr) *entry = *shown;
  return FetchArtifact(context, link, shown->digest, shown->size);
}

}  // namespace ote::cli
