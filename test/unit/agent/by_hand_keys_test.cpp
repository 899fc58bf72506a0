// Keys that change where no line reaches.
#include <catch2/catch.hpp>

#include "core/store/key_ring.h"
#include "test/fake/hand_tree.h"

namespace ote::test {
namespace {

ErrorId IdOf(const auto& result) { return result ? ErrorId{} : result.error().id; }

// Writes the request in which the keys of `name` hand over to the next ones.
site::HandSite::Asked Rotate(HandTree& tree, const std::string& name, const std::string& file) {
  auto site = tree.OpenSite(name);
  return Must(site.MakeRotation({tree.Usb(file), 0, true}));
}
crypto::CertificateBody Own(HandTree& tree, const std::string& name) {
  return Must(Must(tree.Folder(name).LoadMembership()).Own());
}
void Succeed(HandTree& tree) {
  Must(tree.Ask<api::KeyRotated>("hq", api::verb::kKeyRotate, api::KeyRotateRequest{true, {}}));
  tree.Settle();
}
std::vector<std::string> Behind(HandTree& tree) {
  for (const auto& key : Must(tree.Ask<api::KeyList>("hq", api::verb::kKeyList, api::Empty{})).items) {
    if (key.name == "authority") return key.waiting_for;
  }
  return {};
}

}  // namespace

TEST_CASE("a site changes its keys by a request and a grant, and its old ones are void once the new are seen") {
  HandTree tree;
  tree.Enlist("clinic-a", 1);
  Must(tree.StartRun(RunTree::Spec()));
  REQUIRE(tree.Until([&] { return tree.RoundOpen(1, "clinic-a"); }));
  const auto before = Own(tree, "clinic-a");
  const auto asked = Rotate(tree, "clinic-a", "keys.request");
  CHECK(Rotate(tree, "clinic-a", "keys.request").file.digest == asked.file.digest);
  // Not changed yet: the root has to grant it.
  CHECK(Own(tree, "clinic-a").sign_key == before.sign_key);
  const auto early = tree.Export("clinic-a", "early.task");

  const auto granted = Must(tree.Approve("keys.request", "keys.grant"));
  CHECK(Must(tree.Approve("keys.request", "again.grant")).sequence == granted.sequence);
  // The root dies in between.
  tree.StopNode("hq");
  tree.StartNode("hq");
  // What it is asked by its old keys it still answers, until the grant is here.
  Must(tree.Train("clinic-a", early, "early.update"));
  CHECK_FALSE(Must(tree.TakeGrant("clinic-a", "keys.grant")).already);
  const auto after = Own(tree, "clinic-a");
  CHECK(after.sign_key != before.sign_key);
  CHECK(after.transport_key != before.transport_key);
  CHECK(after.serial > before.serial);
  const auto keys = Must(store::LoadMemberKeys(tree.Folder("clinic-a"), after));
  CHECK_FALSE(keys.next_sign);
  CHECK_FALSE(keys.next_transport);
  CHECK(Must(tree.TakeGrant("clinic-a", "keys.grant")).already);
  CHECK(IdOf(tree.TakeGrant("clinic-a", "clinic-a.grant")) == ErrorId::kBundleReceiver);

  // An update that was made before is still good, and the next task is for the new keys.
  Must(tree.Import(tree.Usb("early.update")));
  REQUIRE(tree.Until([&] { return tree.RoundOpen(2, "clinic-a"); }));
  const auto task = tree.Export("clinic-a", "2.task");
  Must(tree.Train("clinic-a", task, "2.update"));
  Must(tree.Import(tree.Usb("2.update")));
  // By then the root has seen the new keys: the old certificate is on the list, and the next file brings that list.
  CHECK(tree.Shown("clinic-a").serial == after.serial);
  const auto root = Must(tree.Folder("hq").LoadMembership());
  REQUIRE(root.revocations);
  CHECK(Must(crypto::CheckRevocationList(*root.revocations, root.AuthorityKey(), 0)).Contains(before.serial));
  REQUIRE(tree.Until([&] { return tree.RoundOpen(3, "clinic-a"); }));
  Must(tree.Train("clinic-a", tree.Export("clinic-a", "3.task"), "3.update"));
  CHECK(Must(tree.Folder("clinic-a").LoadMembership()).revocations);
  Must(tree.Import(tree.Usb("3.update")));
  // A request of before does not bring the old keys back; one of now brings the root up to date.
  CHECK(IdOf(tree.Approve("clinic-a.request", "x.grant")) == ErrorId::kNameTaken);
  {
    auto site = tree.OpenSite("clinic-a");
    Must(site.MakeRequest("", {}, {tree.Usb("new.request")}));
  }
  CHECK(Must(tree.Approve("new.request", "new.grant")).already);
}

TEST_CASE("another key does not take over a name by a request that hands over to it") {
  HandTree tree;
  tree.Enlist("clinic-a", 1);
  tree.Enlist("clinic-b", 2);
  Rotate(tree, "clinic-b", "b.request");
  auto request = Must(bundle::Bundle::Open(tree.Usb("b.request")));
  auto body = Must(bundle::ReadBody<bundle::RequestBody>(Must(request.OpenManifest(nullptr)).first.body));
  const auto keys = Must(store::LoadMemberKeys(tree.Folder("clinic-b"), Own(tree, "clinic-b")));
  const auto send = [&](const std::string& name, const crypto::SigningKey& key) {
    bundle::Package package;
    package.header = request.About();
    package.header.issuer = name;
    package.header.sequence += 5;
    package.body = ToJson(body);
    Must(bundle::Pack(package, key, {tree.Usb("forged"), 0, true}));
    return IdOf(tree.Approve("forged", "x.grant"));
  };
  // The keys of another hand over; the request is signed by a key that is not handed over to.
  CHECK(send("clinic-a", *keys.next_sign) == ErrorId::kSignatureInvalid);
  CHECK(send("clinic-b", crypto::SigningKey::Generate()) == ErrorId::kBundleMixed);
  CHECK(send("nobody", *keys.next_sign) == ErrorId::kNotFound);
  body.rotate->accepted[0] ^= 1;
  CHECK(send("clinic-b", *keys.next_sign) == ErrorId::kSignatureInvalid);
  CHECK(tree.Shown("clinic-b").serial == Own(tree, "clinic-b").serial);
}

TEST_CASE("a site by hand follows two changes of the authority, and a revocation, through one task") {
  HandTree tree;
  tree.Enlist("clinic-a", 1);
  tree.Enlist("clinic-b", 2);
  Must(tree.StartRun(RunTree::Spec()));
  REQUIRE(tree.Until([&] { return tree.RoundOpen(1, "clinic-a"); }));
  const auto pinned = Must(tree.Folder("clinic-a").LoadMembership());
  const auto early = tree.Export("clinic-a", "early.task");
  Succeed(tree);
  Succeed(tree);
  Must(tree.Ask<api::Cluster>("hq", api::verb::kClusterRemove, api::NameRequest{"clinic-b"}));
  tree.Settle();
  CHECK(Behind(tree) == std::vector<std::string>{"clinic-a"});

  const auto task = tree.Export("clinic-a", "1.task");
  Must(tree.Train("clinic-a", task, "1.update"));
  const auto root = Must(tree.Folder("hq").LoadMembership());
  const auto now = Must(tree.Folder("clinic-a").LoadMembership());
  CHECK(now.AuthorityKey() == root.AuthorityKey());
  CHECK(now.AuthorityKey() != pinned.AuthorityKey());
  CHECK(now.successions.size() == 2);
  CHECK(Must(now.Own()).sign_key == Must(pinned.Own()).sign_key);
  REQUIRE(now.revocations);
  CHECK_FALSE(Must(crypto::CheckRevocationList(*now.revocations, root.AuthorityKey(), 0)).serials.empty());
  // The task of before the changes is older, and signed by an authority that is no more.
  CHECK(IdOf(tree.Train("clinic-a", early, "x.update")) != ErrorId{});
  Must(tree.Import(tree.Usb("1.update")));
  CHECK(Behind(tree).empty());
  // And from then on under the new one.
  REQUIRE(tree.Until([&] { return tree.RoundOpen(2, "clinic-a"); }));
  Must(tree.Train("clinic-a", tree.Export("clinic-a", "2.task"), "2.update"));
  Must(tree.Import(tree.Usb("2.update")));
}

TEST_CASE("a site whose keys change while the authority does gets both by one grant") {
  HandTree tree;
  tree.Enlist("clinic-a", 1);
  const auto before = Must(tree.Folder("clinic-a").LoadMembership());
  Rotate(tree, "clinic-a", "keys.request");
  Succeed(tree);
  Must(tree.Approve("keys.request", "keys.grant"));
  Succeed(tree);
  Must(tree.Approve("keys.request", "keys.grant"));
  Must(tree.TakeGrant("clinic-a", "keys.grant"));
  const auto after = Must(tree.Folder("clinic-a").LoadMembership());
  CHECK(after.AuthorityKey() == Must(tree.Folder("hq").LoadMembership()).AuthorityKey());
  CHECK(Must(after.Own()).sign_key != Must(before.Own()).sign_key);
  Must(tree.StartRun(RunTree::Spec()));
  REQUIRE(tree.Until([&] { return tree.RoundOpen(1, "clinic-a"); }));
  Must(tree.Train("clinic-a", tree.Export("clinic-a", "1.task"), "1.update"));
  Must(tree.Import(tree.Usb("1.update")));
}

}  // namespace ote::test
