// Members that are reached by files: a root in memory, and a site that shares nothing with it but bundles.
#include <catch2/catch.hpp>

#include "test/fake/hand_tree.h"

namespace ote::test {

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
