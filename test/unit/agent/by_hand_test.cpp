// Members that are reached by files: a root in memory, and a site that shares nothing with it but bundles.
#include <catch2/catch.hpp>

#include "agent/by_hand/ledger.h"
#include "core/bundle/trust.h"
#include "core/site/by_hand/hand_site.h"
#include "core/site/dataset_registry.h"
#include "test/fake/run_tree.h"

namespace ote::test {
namespace {

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
    auto request = Must(bundle::Bundle::Open(Usb(name + ".request")));
    const auto manifest = Must(request.OpenManifest(nullptr));
    const auto reply = Must(Ask<api::ApproveReply>(
        "hq", api::verb::kClusterApprove,
        api::ApproveRequest{{request.Signed().body, request.Signed().signature, manifest.second}, {}}));
    const auto body = Must(bundle::ReadBody<bundle::RequestBody>(manifest.first.body));
    bundle::Package package;
    package.header = RootHeader(bundle::kind::kGrant, name, body.transport_key);
    package.header.stream = bundle::kEnrolStream;
    package.header.sequence = reply.sequence;
    package.header.answers = request.Digest();
    const auto root = Must(Folder("hq").LoadMembership());
    package.body = ToJson(bundle::GrantBody{root.authority_key, reply.certificate, reply.settings});
    Must(bundle::Pack(package, RootKey(), {Usb(name + ".grant")}));
    auto grant = Must(bundle::Bundle::Open(Usb(name + ".grant")));
    Must(site.TakeGrant(grant, crypto::FingerprintOf(root.AuthorityKey()), {}, false));
  }

  Result<api::ExportReply> AskTask(const std::string& site) {
    return Ask<api::ExportReply>("hq", api::verb::kFlExport, api::ExportRequest{"trial", site, 0, {}});
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
      OTE_CHECK(
          Ask<api::ExportReply>("hq", api::verb::kFlExport, api::ExportRequest{"trial", site, out.sequence, digest}));
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
  bool RoundOpen(std::int64_t round, const std::string& site) {
    const auto out = AskTask(site);
    return out && out->task.round == round;
  }
};

}  // namespace

TEST_CASE("a run over sites that are reached by files ends with the model of the same run over the wire") {
  std::string wire;
  {
    RunTree tree;
    tree.JoinSites({"clinic-a", "clinic-b"});
    Must(tree.StartRun(RunTree::Spec()));
    const auto run = tree.Finish();
    REQUIRE(run.status == api::RunStatus::kFinished);
    wire = run.model.digest;
  }
  HandTree tree;
  tree.Enlist("clinic-a", 1);
  tree.Enlist("clinic-b", 2);
  CHECK(tree.Shown("clinic-a").status == api::ClusterStatus::kByHand);
  CHECK(Must(tree.StartRun(RunTree::Spec(), {}, true)).message.find("4 trips") != std::string::npos);
  Must(tree.StartRun(RunTree::Spec()));
  for (std::int64_t round = 1; round <= 4; ++round) {
    for (const std::string site : {"clinic-a", "clinic-b"}) {
      REQUIRE(tree.Until([&] { return tree.RoundOpen(round, site); }));
      CHECK(Must(tree.AskTask(site)).trips == 5 - round);
      const auto name = site + "." + std::to_string(round);
      const auto task = tree.Export(site, name + ".task");
      Must(tree.Train(site, task, name + ".update"));
      if (round == 2) {
        // The root dies between two updates, and between an update and its folding.
        tree.StopNode("hq");
        tree.StartNode("hq");
      }
      Must(tree.Import(tree.Usb(name + ".update")));
      if (round == 3) {
        tree.StopNode("hq");
        tree.StartNode("hq");
        tree.Settle();
      }
      CHECK(Must(tree.Import(tree.Usb(name + ".update"))).already);
    }
  }
  const auto run = tree.Finish();
  REQUIRE(run.status == api::RunStatus::kFinished);
  CHECK(run.model.digest == wire);
  CHECK(run.metrics.rows > 0);
}

TEST_CASE("an update that is put together from two rounds is refused") {
  HandTree tree;
  tree.Enlist("clinic-a", 1);
  tree.Enlist("clinic-b", 2);
  Must(tree.StartRun(RunTree::Spec()));
  const auto first = tree.Export("clinic-a", "1.task");
  Must(tree.Train("clinic-a", first, "1.update"));
  const auto id = [](const auto& result) { return result ? ErrorId{} : result.error().id; };
  // The header says one round, the content another.
  const auto mixed =
      tree.Forge("clinic-a", tree.Usb("1.update"), "mixed", [](auto& header, auto&) { header.round = 2; });
  CHECK(id(tree.Import(mixed)) == ErrorId::kBundleMixed);
  // It answers another task than it has the nonce of.
  const auto nonce =
      tree.Forge("clinic-a", tree.Usb("1.update"), "nonce", [](auto& header, auto&) { header.nonce[0] ^= 1; });
  CHECK(id(tree.Import(nonce)) == ErrorId::kBundleMixed);
  const auto other = tree.Forge("clinic-a", tree.Usb("1.update"), "other",
                                [](auto& header, auto&) { header.answers = header.manifest; });
  CHECK(id(tree.Import(other)) == ErrorId::kBundleMixed);
  // A round of which no task was exported.
  const auto unasked = tree.Forge("clinic-a", tree.Usb("1.update"), "unasked", [](auto& header, auto& body) {
    header.round = 2;
    body.offer.round = 2;
  });
  CHECK(id(tree.Import(unasked)) == ErrorId::kBundleUnasked);
  // Another artifact than it announces.
  const auto size =
      tree.Forge("clinic-a", tree.Usb("1.update"), "size", [](auto&, auto& body) { body.offer.size += 4; });
  CHECK(id(tree.Import(size)) == ErrorId::kBundleMixed);
  // Signed by a member, in the name of another.
  const auto name = tree.Forge("clinic-b", tree.Usb("1.update"), "name", [](auto&, auto&) {});
  CHECK(id(tree.Import(name)) == ErrorId::kBundleUntrusted);
  const auto stranger =
      tree.Forge("clinic-b", tree.Usb("1.update"), "stranger", [](auto& header, auto&) { header.issuer = "nobody"; });
  CHECK(id(tree.Import(stranger)) == ErrorId::kRevoked);

  // None of it left anything, and the true one is taken.
  const auto taken = tree.Import(tree.Usb("1.update"));
  REQUIRE(taken);
  CHECK_FALSE(taken->already);
  // A second one for the same task, whatever its number.
  const auto second = tree.Forge("clinic-a", tree.Usb("1.update"), "second", [](auto& header, auto& body) {
    header.sequence += 10;
    body.offer.seconds = 77;
  });
  CHECK(id(tree.Import(second)) == ErrorId::kBundleReplaced);
}

TEST_CASE("a task that the root did not make like this is refused, and nothing is written") {
  HandTree tree;
  tree.Enlist("clinic-a", 1);
  Must(tree.StartRun(RunTree::Spec()));
  const auto out = Must(tree.AskTask("clinic-a"));
  const auto id = [](const auto& result) { return result ? ErrorId{} : result.error().id; };
  int number = 0;
  const auto read = [&](const std::function<void(bundle::Package&)>& change, const crypto::SigningKey& key) {
    auto package = tree.TaskPackage(out);
    change(package);
    const auto path = tree.Usb(std::to_string(++number) + ".task");
    Must(bundle::Pack(package, key, {path}));
    auto site = tree.OpenSite("clinic-a");
    auto bundle = Must(bundle::Bundle::Open(path));
    return id(site.ReadTask(bundle, {}));
  };
  CHECK(read([](auto&) {}, tree.RootKey()) == ErrorId{});
  CHECK(read([](auto&) {}, crypto::SigningKey::Generate()) == ErrorId::kBundleUntrusted);
  CHECK(read([](auto& package) { package.header.certificate.reset(); }, tree.RootKey()) == ErrorId::kBundleUntrusted);
  CHECK(read([](auto& package) { package.header.round = 2; }, tree.RootKey()) == ErrorId::kBundleMixed);
  CHECK(read([](auto& package) { package.contents.clear(); }, tree.RootKey()) == ErrorId::kBundleMixed);
  CHECK(read([](auto& package) { package.header.receiver = "clinic-b"; }, tree.RootKey()) == ErrorId::kBundleReceiver);
  // Its site has sent more than the folder knows of.
  CHECK(read([](auto& package) { package.body["seen"] = 100; }, tree.RootKey()) == ErrorId::kFolderRestored);
  // A member has a certificate of the same authority, and may not give out tasks.
  tree.Enlist("clinic-b", 2);
  const auto member = Must(tree.Folder("clinic-b").LoadMembership());
  CHECK(read(
            [&](auto& package) {
              package.header.issuer = "clinic-b";
              package.header.certificate = member.certificate;
            },
            Must(tree.Folder("clinic-b").SignKey())) == ErrorId::kBundleUntrusted);
  auto site = tree.OpenSite("clinic-a");
  CHECK(Must(site.GetStore().List<site::HandAnswer>()).empty());
  CHECK(Must(site.GetArtifacts().List()).empty());
}

TEST_CASE("a site by hand gets the certificate that the root renewed for it") {
  HandTree tree;
  tree.Enlist("clinic-a", 1);
  Must(tree.StartRun(RunTree::Spec()));
  const auto before = Must(tree.Folder("clinic-a").LoadMembership());
  tree.clock.Advance(std::chrono::hours(24 * 80));
  const auto task = tree.Export("clinic-a", "1.task");
  Must(tree.Train("clinic-a", task, "1.update"));
  const auto after = Must(tree.Folder("clinic-a").LoadMembership());
  CHECK(Must(after.Own()).not_after > Must(before.Own()).not_after);
  Must(tree.Import(tree.Usb("1.update")));
}

}  // namespace ote::test
