// Members that are reached by files: a root in memory, and sites that share nothing with it but bundles.
#pragma once

#include "agent/by_hand/ledger.h"
#include "core/api/app_carried.h"
#include "core/bundle/trust.h"
#include "core/site/by_hand/hand_site.h"
#include "core/site/dataset_registry.h"
#include "test/fake/run_tree.h"

namespace ote::test {

class HandTree : public RunTree {
 public:
  HandTree() { std::filesystem::create_directories(Usb("")); }
  std::filesystem::path Usb(const std::string& name) const { return scratch() / "usb" / name; }

  site::HandSite OpenSite(const std::string& name) { return Must(site::HandSite::Open(Folder(name), clock)); }

  bundle::Header RootHeader(std::string_view kind, const std::string& to, const Bytes& key) {
    const auto root = Must(Folder("hq").LoadMembership());
    bundle::Header header;
    header.kind = kind;
    header.issuer = root.name;
    header.certificate = root.certificate;
    header.receiver = to;
    header.receiver_key = key;
    header.authority = crypto::ToBytes(crypto::FingerprintOf(root.AuthorityKey()));
    header.successions = root.successions;
    header.revocations = root.revocations;
    return header;
  }
  crypto::SigningKey RootKey() { return Must(Folder("hq").SignKey()); }

  // Enrolled by files, with the data set "points".
  void Enlist(const std::string& name, int seed) {
    const auto folder = Folder(name);
    Must(folder.Create());
    auto site = OpenSite(name);
    api::DataAddRequest add;
    add.dataset.name = "points";
    add.dataset.path = WriteData(name, Csv(seed, 60 + 20 * seed));
    add.dataset.label = "label";
    auto read = Must(site::ReadForRegistration(add.dataset));
    Must(site::Register(site.GetStore(), {}, add, std::move(read), clock.WallNow()));
    Must(site.MakeRequest(name, {}, {Usb(name + ".request")}));
    Must(Approve(name + ".request", name + ".grant"));
    auto grant = Must(bundle::Bundle::Open(Usb(name + ".grant")));
    const auto root = Must(Folder("hq").LoadMembership());
    Must(site.TakeGrant(grant, crypto::FingerprintOf(root.AuthorityKey()), {}, false));
  }

  Result<api::ApproveReply> Approve(const std::string& from, const std::string& to) {
    auto request = Must(bundle::Bundle::Open(Usb(from)));
    const auto manifest = Must(request.OpenManifest(nullptr));
    OTE_TRY(const auto reply,
            Ask<api::ApproveReply>(
                "hq", api::verb::kClusterApprove,
                api::ApproveRequest{{request.Signed().body, request.Signed().signature, manifest.second}, {}}));
    const auto body = Must(bundle::ReadBody<bundle::RequestBody>(manifest.first.body));
    bundle::Package package;
    package.header = RootHeader(bundle::kind::kGrant, reply.cluster.name, body.transport_key);
    package.header.stream = bundle::kEnrolStream;
    package.header.sequence = reply.sequence;
    package.header.answers = request.Digest();
    package.header.created = reply.created;
    package.header.revocations = reply.revocations;
    const auto root = Must(Folder("hq").LoadMembership());
    package.body = ToJson(bundle::GrantBody{root.authority_key, reply.certificate, reply.settings});
    Must(bundle::Pack(package, RootKey(), {Usb(to), 0, true}));
    return reply;
  }
  Result<site::HandSite::Granted> TakeGrant(const std::string& name, const std::string& file) {
    auto site = OpenSite(name);
    auto grant = Must(bundle::Bundle::Open(Usb(file)));
    return site.TakeGrant(grant, {}, {}, false);
  }

  Result<api::ExportReply> AskTask(const std::string& site) {
    return Ask<api::ExportReply>("hq", api::verb::kFlExport, api::ExportRequest{"trial", site, 0, {}, false});
  }
  bundle::Package TaskPackage(const api::ExportReply& out) {
    bundle::Package package;
    package.header = RootHeader(bundle::kind::kTask, out.cluster, out.receiver_key);
    package.header.stream = out.task.run;
    package.header.sequence = out.sequence;
    package.header.run = out.task.run;
    package.header.round = out.task.round;
    package.header.step = NameOf(out.task.kind);
    package.header.nonce = out.nonce;
    package.header.created = out.created;
    package.body = ToJson(bundle::TaskBody{out.task, out.rounds, out.trips, out.seen, out.over, out.certificate});
    if (!out.task.model_digest.empty()) {
      package.contents.push_back(
          {{out.task.model_digest, out.task.model_size},
           [this, digest = out.task.model_digest](std::uint64_t offset, std::span<std::uint8_t> bytes) -> Result<void> {
             auto client = Operator("hq");
             OTE_TRY(const auto answer, client.Call(api::verb::kArtifactGet,
                                                    ToJson(api::ArtifactRange{digest, static_cast<std::int64_t>(offset),
                                                                              static_cast<std::int64_t>(bytes.size())}),
                                                    std::chrono::seconds(5)));
             std::copy_n(answer.blob.View().begin(), bytes.size(), bytes.begin());
             return {};
           }});
    }
    return package;
  }
  // The task of the open round, as a file.
  std::filesystem::path Export(const std::string& site, const std::string& name) {
    const auto out = Must(AskTask(site));
    Must(bundle::Pack(TaskPackage(out), RootKey(), {Usb(name)}, [&](const std::string& digest) -> Result<void> {
      OTE_CHECK(Ask<api::ExportReply>("hq", api::verb::kFlExport,
                                      api::ExportRequest{"trial", site, out.sequence, digest, false}));
      return {};
    }));
    return Usb(name);
  }
  Result<site::HandSite::Trained> Train(const std::string& name, const std::filesystem::path& task,
                                        const std::string& to) {
    auto site = OpenSite(name);
    OTE_TRY(auto bundle, bundle::Bundle::Open(task));
    OTE_TRY(const auto plan, site.ReadTask(bundle, {}));
    return site.Train(bundle, plan, {Usb(to)}, false, {});
  }
  Result<api::ImportReply> Import(const std::filesystem::path& path) {
    OTE_TRY(auto bundle, bundle::Bundle::Open(path));
    const auto key = Must(Folder("hq").TransportKey());
    OTE_TRY(const auto manifest, bundle.OpenManifest(&key));
    api::ImportRequest ask{{bundle.Signed().body, bundle.Signed().signature, manifest.second}, true};
    OTE_TRY(auto seen, (Ask<api::ImportReply>("hq", api::verb::kFlImport, ask)));
    if (seen.already) return seen;
    Bytes bytes;
    OTE_CHECK(bundle.Unpack(
        &key, [](const bundle::Manifest&, ByteView) -> Result<void> { return {}; },
        [&](const bundle::Item&, std::uint64_t, ByteView piece) -> Result<void> {
          bytes.insert(bytes.end(), piece.begin(), piece.end());
          return {};
        }));
    if (!bytes.empty()) {
      auto client = Operator("hq");
      const auto size = static_cast<std::int64_t>(bytes.size());
      const api::ArtifactPut put{crypto::DigestOf(bytes).ToString(), size, 0};
      Must(client.Call(api::verb::kArtifactPut, ToJson(put), std::chrono::seconds(5), wire::Blob(std::move(bytes))));
    }
    ask.check = false;
    auto taken = Ask<api::ImportReply>("hq", api::verb::kFlImport, ask);
    Settle();
    return taken;
  }
  // The update at `path` as it would be with another header and body, signed by the site all the same.
  std::filesystem::path Forge(const std::string& site, const std::filesystem::path& path, const std::string& to,
                              const std::function<void(bundle::Header&, bundle::UpdateBody&)>& change) {
    auto bundle = Must(bundle::Bundle::Open(path));
    const auto key = Must(Folder("hq").TransportKey());
    Bytes bytes;
    bundle::Package package;
    Must(bundle.Unpack(
        &key,
        [&](const bundle::Manifest& manifest, ByteView) -> Result<void> {
          package.body = manifest.body;
          return {};
        },
        [&](const bundle::Item&, std::uint64_t, ByteView piece) -> Result<void> {
          bytes.insert(bytes.end(), piece.begin(), piece.end());
          return {};
        }));
    package.header = bundle.About();
    auto body = Must(bundle::ReadBody<bundle::UpdateBody>(package.body));
    change(package.header, body);
    package.body = ToJson(body);
    package.contents.push_back(bundle::ContentOf(bytes));
    Must(bundle::Pack(package, Must(Folder(site).SignKey()), {Usb(to)}));
    return Usb(to);
  }
  Result<api::AppExportReply> AskApp(const std::string& app, const std::string& cluster, bool dry_run = false) {
    return Ask<api::AppExportReply>("hq", api::verb::kAppExport, api::AppExportRequest{app, cluster, 0, {}, dry_run});
  }
  bundle::Package AppPackage(const api::AppExportReply& out) {
    bundle::Package package;
    package.header = RootHeader(bundle::kind::kApp, out.cluster, out.receiver_key);
    package.header.stream = "apps/" + out.app;
    package.header.sequence = out.sequence;
    package.header.created = out.created;
    package.header.revocations = out.revocations;
    package.body = ToJson(bundle::AppBody{out.app, out.revision, out.assignment, out.seen, out.certificate});
    return package;
  }
  // What a cluster is to have of an app without files; the digest of the bundle.
  std::string ExportApp(const std::string& app, const std::string& cluster, const std::string& name) {
    const auto out = Must(AskApp(app, cluster));
    const auto packed = Must(
        bundle::Pack(AppPackage(out), RootKey(), {Usb(name), 0, true}, [&](const std::string& digest) -> Result<void> {
          OTE_CHECK(Ask<api::AppExportReply>("hq", api::verb::kAppExport,
                                             api::AppExportRequest{app, cluster, out.sequence, digest, false}));
          return {};
        }));
    Settle();
    return packed.digest;
  }
  // What `cluster` says became of the bundle with this digest.
  Result<api::AppImportReply> SendReceipt(const std::string& cluster, const api::AppReport& report,
                                          std::int64_t sequence, const std::string& answers,
                                          const std::function<void(bundle::Package&)>& change = {},
                                          const std::string& signer = {}) {
    const auto member = Must(Folder(cluster).LoadMembership());
    const auto root = Must(Folder("hq").TransportKey());
    bundle::Package package;
    auto& header = package.header;
    header.kind = bundle::kind::kAppReceipt;
    header.issuer = cluster;
    header.certificate = member.certificate;
    header.receiver = "hq";
    header.receiver_key = crypto::ToBytes(root.Public().bytes);
    header.authority = crypto::ToBytes(crypto::FingerprintOf(member.AuthorityKey()));
    header.stream = "apps/" + report.app;
    header.sequence = sequence;
    header.answers = answers;
    header.created = 1'000'000 + sequence;
    package.body = ToJson(report);
    if (change) change(package);
    Must(bundle::Pack(package, Must(Folder(signer.empty() ? cluster : signer).SignKey()), {Usb("receipt"), 0, true}));
    return TakeReceipt("receipt");
  }
  Result<api::AppImportReply> TakeReceipt(const std::string& name) { return ImportApp("hq", name); }
  // `ote app import` at `at`, of one without files.
  Result<api::AppImportReply> ImportApp(const std::string& at, const std::string& name, bool check = false) {
    OTE_TRY(auto bundle, bundle::Bundle::Open(Usb(name)));
    const auto key = Must(Folder(at).TransportKey());
    OTE_TRY(const auto manifest, bundle.OpenManifest(&key));
    api::AppImportRequest ask;
    ask.bundle = {bundle.Signed().body, bundle.Signed().signature, manifest.second};
    ask.check = check;
    auto reply = Ask<api::AppImportReply>(at, api::verb::kAppImport, ask);
    Settle();
    return reply;
  }
  bool RoundOpen(std::int64_t round, const std::string& site) {
    const auto out = AskTask(site);
    return out && out->task.round == round;
  }
};

}  // namespace ote::test