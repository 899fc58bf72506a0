#include "cli/by_hand/model.h"

#include <fmt/format.h>

#include "cli/by_hand/alone.h"
#include "cli/by_hand/root.h"
#include "cli/frame/artifacts.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/model/commands.h"
#include "core/base/ids.h"
#include "core/bundle/bodies.h"
#include "core/bundle/marks.h"
#include "core/bundle/trust.h"
#include "core/site/model_registry.h"

namespace ote::cli {
namespace {

// The number of a model is its version at the root: a file with an older one does not take the place of a newer.
std::string StreamOf(const api::ModelEntry& entry) { return fmt::format("{}/{}", bundle::kModelStream, entry.name); }

Facts ModelFacts(const api::ModelEntry& entry) {
  return {{"model", entry.Key()},
          {"tags", Join(entry.tags, ", ")},
          {"kind", std::string(NameOf(entry.model.kind))},
          {"parameters", std::to_string(entry.parameters)},
          {"digest", entry.digest}};
}

// The file of the model, out of a bundle that was checked.
Result<std::pair<api::ModelEntry, Bytes>> OpenModel(bundle::Bundle& bundle, const store::StateFolder& folder) {
  const auto& header = bundle.About();
  OTE_CHECK(bundle::CheckKind(header, bundle::kind::kModel));
  OTE_TRY(const auto member, folder.LoadMembership());
  OTE_TRY(const auto transport, folder.TransportKey());
  OTE_CHECK(bundle::CheckReceiver(header, member.name, transport.Public()));
  OTE_TRY(const auto authority, bundle::AuthorityOf(header, member.AuthorityKey()));
  OTE_CHECK(bundle::CheckIssuer(header, authority, member.revocations, {}));
  std::pair<api::ModelEntry, Bytes> out;
  OTE_CHECK(bundle.Unpack(
      &transport,
      [&](const bundle::Manifest& manifest, ByteView) -> Result<void> {
        OTE_TRY(auto body, bundle::ReadBody<bundle::ModelBody>(manifest.body));
        out.first = std::move(body.entry);
        const auto& items = manifest.items;
        if (items.size() != 1 || items[0].digest != out.first.digest || items[0].size != out.first.size ||
            header.stream != StreamOf(out.first) || header.sequence != out.first.version) {
          return Fail(ErrorId::kBundleMixed, "the bundle holds another model than it says");
        }
        return {};
      },
      [&](const bundle::Item&, std::uint64_t, ByteView piece) -> Result<void> {
        out.second.insert(out.second.end(), piece.begin(), piece.end());
        return {};
      }));
  return out;
}

// As an agent does it, where none runs.
Result<api::ModelEntry> RegisterAlone(const Context& context, site::HandSite& site, api::ModelEntry entry,
                                      const std::vector<std::string>& tags, ByteView file) {
  for (const auto& tag : tags) OTE_CHECK(api::CheckTag(tag));
  entry.tags.clear();
  entry.created_at = context.clock.WallNow();
  OTE_CHECK(site.GetArtifacts().Put(entry.digest, file));
  site::ModelRegistry registry(site.GetStore());
  auto done = site.GetStore().Transaction([&]() -> Result<void> {
    OTE_TRY(entry, registry.Register(std::move(entry)));
    for (const auto& tag : tags) {
      OTE_TRY(entry, registry.Tag(entry.Key(), tag));
    }
    return {};
  });
  if (!done) return Fail(std::move(done).error());
  return entry;
}

}  // namespace

bool IsBundle(const std::filesystem::path& path) {
  const auto input = bundle::OpenInput(path);
  return input.has_value();
}

Result<Exit> ExportModelBundle(Context& context, const std::string& model, const std::string& cluster,
                               const PlaceOptions& placing) {
  crypto::Init();
  if (cluster.empty()) {
    return Fail(ErrorId::kUsage, "ote model export: --for is missing", "name the cluster that may open it: --for NAME");
  }
  OTE_TRY(const auto place, PlaceOf(context, placing, "ote model export --format bundle"));
  api::ModelEntry entry;
  OTE_TRY(const Bytes file, FetchModelFile(context, model, &entry));
  if (entry.name.empty()) {
    return Fail(ErrorId::kUsage, fmt::format("{}: only a model of the registry can be sent", model), "ote model list");
  }
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_CHECK(link.NeedsFolder("to seal a bundle"));
  // The certificates of members stand in the store of the root; the agent writes there, this only reads.
  OTE_TRY(auto store, store::Store::Open(link.Folder().Database()));
  OTE_TRY(const auto member, store.Get<api::Cluster>(cluster));
  if (!member || !member->certificate) {
    return Fail(ErrorId::kNotFound, fmt::format("cluster {}: not a member of this root", cluster), "ote cluster list");
  }
  // One that is changing its keys has the next ones when this reaches it: the grant goes with it.
  const auto& present = member->trust && member->trust->next ? *member->trust->next : *member->certificate;
  OTE_TRY(const auto certified, crypto::CheckCertificateSignature(present, link.Member().AuthorityKey()));
  bundle::Package package;
  package.header = HeaderFrom(link.Member(), bundle::kind::kModel, cluster, certified.transport_key);
  package.header.stream = StreamOf(entry);
  package.header.sequence = entry.version;
  package.header.created = entry.created_at;
  package.header.revocations = link.Member().revocations;
  entry.tags.clear();
  package.body = ToJson(bundle::ModelBody{entry});
  package.contents.push_back(bundle::ContentOf(file));
  if (context.flags.dry_run) {
    Say(context, "nothing was written");
    PrintOne(context, {{"model", entry.Key()}, {"digest", entry.digest}, {"cluster", cluster}}, "", entry.Key());
    return Exit::kDone;
  }
  OTE_TRY(const auto sign, SignKeyOf(link));
  OTE_TRY(const auto packed, bundle::Pack(package, sign, place));
  std::vector<std::string> files;
  for (const auto& path : packed.files) files.push_back(path.string());
  Say(context, fmt::format("model {}: wrote {}", entry.Key(), PlacedText(packed)));
  PrintOne(
      context,
      {{"model", entry.Key()}, {"digest", entry.digest}, {"format", "bundle"}, {"cluster", cluster}, {"files", files}},
      Join(files, "\n") + "\n", Join(files, "\n"));
  Next(context, fmt::format("at {}: ote model import {}", cluster, place.path.filename().string()));
  return Exit::kDone;
}

Result<Exit> ImportModelBundle(Context& context, const std::filesystem::path& file, const std::string& name,
                               const std::vector<std::string>& tags) {
  crypto::Init();
  OTE_TRY(auto bundle, OpenWhole(context, file));
  OTE_TRY(auto alone, OpenAlone(context));
  std::optional<AgentLink> link;
  if (!alone) {
    OTE_TRY(auto opened, AgentLink::Open(context));
    link.emplace(std::move(opened));
  }
  OTE_TRY(auto model, OpenModel(bundle, alone ? alone->Folder() : link->Folder()));
  auto& entry = model.first;
  if (!name.empty()) entry.name = name;
  OTE_CHECK(CheckName("model", entry.name));
  const auto size = static_cast<std::int64_t>(model.second.size());
  if (context.flags.dry_run) {
    Say(context, "nothing was imported");
    PrintOne(context, {{"name", entry.name}, {"digest", entry.digest}}, entry.digest + "\n", entry.digest);
    return Exit::kDone;
  }
  if (alone) {
    const bundle::Checked checked{bundle.About(), bundle.Digest()};
    OTE_TRY(const auto mark, alone->GetStore().Get<bundle::Mark>(
                                 bundle::Mark{checked.header.issuer, checked.header.stream, 0, {}}.Key()));
    if (mark && mark->sequence > checked.header.sequence) {
      return Fail(ErrorId::kBundleStale, fmt::format("model {}: version {} was taken before version {}", entry.name,
                                                     mark->sequence, checked.header.sequence));
    }
    OTE_TRY(entry, RegisterAlone(context, *alone, entry, tags, model.second));
    OTE_CHECK(bundle::PutMark(alone->GetStore(), checked));
  } else {
    AgentUpload upload(context, *link, entry.digest, size);
    OTE_CHECK(upload.Take(model.second));
    OTE_TRY(entry,
            link->Ask<api::ModelEntry>(api::verb::kModelImport, api::ModelImportRequest{entry.name, entry.digest, tags},
                                       context.Patience(kQuick)));
  }
  PrintOne(context, ToJson(entry), FactsText(ModelFacts(entry)), entry.Key());
  Next(context, fmt::format("ote model show {}", entry.Key()));
  return Exit::kDone;
}

}  // namespace ote::cli
