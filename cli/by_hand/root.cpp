#include "cli/by_hand/root.h"

#include <fmt/format.h>

#include "cli/frame/artifacts.h"
#include "core/base/version.h"
#include "core/bundle/trust.h"

namespace ote::cli {

bundle::Header HeaderFrom(const store::Membership& member, std::string_view kind, const std::string& to,
                          const Bytes& to_key) {
  bundle::Header header;
  header.kind = kind;
  header.issuer = member.name;
  header.certificate = member.certificate;
  header.receiver = to;
  header.receiver_key = to_key;
  header.authority = crypto::ToBytes(crypto::FingerprintOf(member.AuthorityKey()));
  header.successions = member.successions;
  header.version = Version();
  return header;
}

Result<crypto::SigningKey> SignKeyOf(const AgentLink& link) {
  OTE_CHECK(link.NeedsFolder("to seal a bundle"));
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
              OTE_TRY(const wire::Envelope answer,
                      FetchPiece(context, link, digest, static_cast<std::int64_t>(offset), out.size()));
              const ByteView piece = answer.blob.View();
              std::copy(piece.begin(), piece.end(), out.begin());
              out = out.subspan(piece.size());
              offset += piece.size();
            }
            return {};
          }};
}

Result<OpenedHere> OpenHere(const AgentLink& link, bundle::Bundle& bundle) {
  OTE_CHECK(link.NeedsFolder("to open a bundle"));
  OTE_TRY(auto key, link.Folder().TransportKey());
  OTE_CHECK(bundle::CheckReceiver(bundle.About(), link.Member().name, key.Public()));
  OTE_TRY(auto manifest, bundle.OpenManifest(&key));
  return OpenedHere{std::move(key), {bundle.Signed().body, bundle.Signed().signature, std::move(manifest.second)}};
}

void TellPacked(Json& json, const bundle::Place& place, const bundle::Packed& packed) {
  json["file"] = place.path.string();
  json["files"] = Json::array();
  for (const auto& file : packed.files) json["files"].push_back(file.string());
  json["digest"] = packed.digest;
  json["already"] = packed.already;
}

Result<void> PutItems(Context& context, AgentLink& link, bundle::Bundle& bundle, const crypto::TransportKey& key) {
  std::optional<AgentUpload> upload;
  return bundle.Unpack(
      &key, [](const bundle::Manifest&, ByteView) -> Result<void> { return {}; },
      [&](const bundle::Item& item, std::uint64_t offset, ByteView piece) -> Result<void> {
        if (offset == 0) upload.emplace(context, link, item.digest, item.size);
        return upload->Take(piece);
      });
}

}  // namespace ote::cli
