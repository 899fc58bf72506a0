// A parent changes the transport key that its children pin.
#include <catch2/catch.hpp>

#include "agent/parent_pin.h"
#include "core/api/parent_key.h"
#include "core/store/store.h"
#include "test/fake/tree.h"

using namespace ote;
using namespace std::chrono_literals;
using test::Must;
using test::Tree;

namespace {

Result<api::TransportRotated> Rotate(Tree& tree, bool now = false, const std::string& request_id = {}) {
  return tree.Ask<api::TransportRotated>("hq", api::verb::kKeyTransport, api::TransportRotateRequest{now, request_id});
}

crypto::TransportPublic KeyOf(Tree& tree, const std::string& name) {
  return Must(tree.Folder(name).TransportKey()).Public();
}
// The key by which `name` knows its parent, on disk.
Bytes PinOf(Tree& tree, const std::string& name) {
  return Must(tree.Folder(name).LoadMembership()).parent->transport_key;
}
bool AtHome(Tree& tree, const std::string& name) {
  const auto& uplink = tree.Node(name).uplink();
  return uplink.Connected() && uplink.AtHome();
}
api::KeyInfo NextOf(Tree& tree) {
  for (const auto& info : Must(tree.Ask<api::KeyList>("hq", api::verb::kKeyList, api::Empty{})).items) {
    if (info.status == "next") return info;
  }
  return {};
}
// Asks and does not wait for the answer.
class Asked {
 public:
  Asked(Tree& tree, const std::string& name, std::string_view verb, Json body)
      : key_(Must(tree.Folder(name).ControlKey())), transport_(tree.network.MakeTransport(nullptr, nullptr)) {
    const auto folder = tree.Folder(name);
    const auto link =
        Must(transport_->Connect({folder.ControlEndpoint(), Must(folder.ControlServerKey()).Public()}, key_));
    transport_->Wait({});
    Must(transport_->Send(link, wire::MakeRequest(1, verb, std::move(body))));
  }

 private:
  crypto::TransportKey key_;
  std::unique_ptr<wire::Transport> transport_;
};

}  // namespace

TEST_CASE("the root changes its transport key, its members follow, and its old key is no more") {
  Tree tree;
  tree.Join("clinic-a");
  tree.Join("clinic-b");
  const auto old_token = tree.Token();
  const auto old = KeyOf(tree, "hq");
  const auto before = Must(tree.Node("hq").membership().Own());
  const auto done = Must(Rotate(tree));
  CHECK(done.left_out.empty());
  REQUIRE(done.items.size() == 1);
  CHECK(done.items.front().key == crypto::ToText(KeyOf(tree, "hq").bytes));
  CHECK(KeyOf(tree, "hq") != old);
  const auto own = Must(tree.Node("hq").membership().Own());
  CHECK(own.Transport() == KeyOf(tree, "hq"));
  CHECK(own.sign_key == before.sign_key);
  tree.Pass(20s);
  for (const std::string name : {"clinic-a", "clinic-b"}) {
    CHECK(AtHome(tree, name));
    CHECK(tree.Shown(name).status == api::ClusterStatus::kReady);
    CHECK(PinOf(tree, name) == crypto::ToBytes(KeyOf(tree, "hq").bytes));
    const auto& member = tree.Node(name).membership();
    CHECK(Must(crypto::CheckRevocationList(*member.revocations, member.AuthorityKey(), 0)).Contains(before.serial));
  }
  CHECK_FALSE(tree.Enrol(old_token, "clinic-c").has_value());
  CHECK(tree.Enrol(tree.Token(), "clinic-d").has_value());
  for (const std::string name : {"hq", "clinic-a", "clinic-b"}) {
    tree.StopNode(name);
    tree.StartNode(name);
  }
  tree.Pass(20s);
  CHECK(AtHome(tree, "clinic-a"));
  // And once more.
  Must(Rotate(tree));
  tree.Pass(20s);
  CHECK(AtHome(tree, "clinic-a"));
  CHECK(AtHome(tree, "clinic-b"));
}

TEST_CASE("the same request to change the root's transport key changes it once") {
  Tree tree;
  tree.Join("clinic-a");
  CHECK_FALSE(Must(Rotate(tree, false, "r1")).already);
  const auto key = KeyOf(tree, "hq");
  CHECK(Must(Rotate(tree, false, "r1")).already);
  CHECK(KeyOf(tree, "hq") == key);
}

TEST_CASE(
    "whoever is killed while the root changes its transport key, the member comes back and pins what is in force") {
  const bool kill_member = GENERATE(true, false);
  const bool kill_root = GENERATE(true, false);
  const int steps = GENERATE(range(0, 9));
  CAPTURE(kill_member, kill_root, steps);
  Tree tree;
  tree.Join("clinic-a");
  const auto old = KeyOf(tree, "hq");
  {
    const Asked asked(tree, "hq", api::verb::kKeyTransport, ToJson(api::TransportRotateRequest{}));
    tree.Settle(steps);
  }
  if (kill_member) tree.StopNode("clinic-a");
  if (kill_root) tree.StopNode("hq");
  if (kill_root) tree.StartNode("hq");
  if (kill_member) tree.StartNode("clinic-a");
  tree.Pass(60s);
  CHECK(AtHome(tree, "clinic-a"));
  CHECK(tree.Shown("clinic-a").status == api::ClusterStatus::kReady);
  CHECK(PinOf(tree, "clinic-a") == crypto::ToBytes(KeyOf(tree, "hq").bytes));
  CHECK_FALSE(std::filesystem::exists(tree.Folder("hq").NextTransportKeyFile()));
  if (steps == 8) CHECK(KeyOf(tree, "hq") != old);
}

TEST_CASE("a member that was away when the root changed its key joins again with a token, and is who it was") {
  Tree tree;
  tree.Join("clinic-a");
  tree.Join("clinic-b");
  const auto serial = tree.Shown("clinic-b").serial;
  const auto sign = Must(tree.Folder("clinic-b").SignKey()).Public();
  tree.StopNode("clinic-b");
  tree.Pass(30s);
  CHECK(Must(Rotate(tree)).left_out == std::vector<std::string>{"clinic-b"});
  tree.StartNode("clinic-b");
  tree.Pass(60s);
  CHECK(AtHome(tree, "clinic-a"));
  CHECK_FALSE(tree.Node("clinic-b").uplink().Connected());
  CHECK(tree.Node("clinic-b").uplink().Message().find("does not hold the parent's key") != std::string::npos);
  tree.StopNode("clinic-b");
  CHECK(Must(tree.Enrol(tree.Token(), "clinic-b")).reply.already);
  tree.StartNode("clinic-b");
  tree.Settle();
  CHECK(AtHome(tree, "clinic-b"));
  CHECK(tree.Shown("clinic-b").serial == serial);
  CHECK(Must(tree.Folder("clinic-b").SignKey()).Public() == sign);
}

TEST_CASE("a member that was away, and reaches the root by another way, hears of the root's key there") {
  Tree tree;
  tree.JoinAt("hq", "eu", true);
  tree.Join("clinic-a");
  tree.Pass(20s);
  tree.StopNode("clinic-a");
  tree.Pass(30s);
  CHECK(Must(Rotate(tree)).left_out == std::vector<std::string>{"clinic-a"});
  tree.Pass(20s);
  tree.StartNode("clinic-a");
  tree.Pass(120s);
  CHECK(AtHome(tree, "clinic-a"));
  CHECK(PinOf(tree, "clinic-a") == crypto::ToBytes(KeyOf(tree, "hq").bytes));
}

TEST_CASE("a key that the parent had for a while is not taken by one that joined again since") {
  Tree tree;
  tree.Join("clinic-a");
  // Told of the next key, and away when it is used, and when it is followed by another.
  bool held = true;
  {
    const Asked asked(tree, "hq", api::verb::kKeyTransport, ToJson(api::TransportRotateRequest{}));
    tree.Settle(1);
  }
  tree.Hold("clinic-a", [&] { return !held; });
  tree.Settle();
  tree.StopNode("clinic-a");
  held = false;
  tree.Pass(30s);
  Must(Rotate(tree));
  const auto between = KeyOf(tree, "hq");
  Must(Rotate(tree));
  Must(tree.Enrol(tree.Token(), "clinic-a"));
  tree.StartNode("clinic-a");
  tree.Pass(20s);
  CHECK(AtHome(tree, "clinic-a"));
  agent::ParentPin pin(tree.Node("clinic-a").context());
  CHECK(pin.Keys() == std::vector<Bytes>{crypto::ToBytes(KeyOf(tree, "hq").bytes)});
  CHECK_FALSE(pin.Shown(crypto::ToBytes(between.bytes)));
}

TEST_CASE("the next key of the root waits for members that are here and do not answer, unless it is not to") {
  Tree tree;
  tree.Join("clinic-a");
  tree.Join("clinic-b");
  const auto old = KeyOf(tree, "hq");
  bool held = true;
  tree.Hold("clinic-b", [&] { return !held; });
  {
    const Asked asked(tree, "hq", api::verb::kKeyTransport, ToJson(api::TransportRotateRequest{}));
    tree.Settle();
  }
  CHECK(KeyOf(tree, "hq") == old);
  CHECK(NextOf(tree).name == "transport");
  CHECK(NextOf(tree).waiting_for == std::vector<std::string>{"clinic-b"});
  // Other changes wait for this one.
  for (const bool authority : {false, true}) {
    const auto other = tree.Ask<api::KeyRotated>("hq", api::verb::kKeyRotate, api::KeyRotateRequest{authority, {}});
    REQUIRE_FALSE(other.has_value());
    CHECK(other.error().id == ErrorId::kBusy);
  }
  SECTION("not to") {
    CHECK(Must(Rotate(tree, true)).left_out == std::vector<std::string>{"clinic-b"});
    CHECK(KeyOf(tree, "hq") != old);
    held = false;
  }
  SECTION("it answers") {
    held = false;
    tree.Pass(20s);
    CHECK(KeyOf(tree, "hq") != old);
    CHECK(AtHome(tree, "clinic-b"));
  }
  SECTION("it is lost") {
    tree.Pass(30s);
    CHECK(KeyOf(tree, "hq") != old);
    held = false;
  }
  CHECK(NextOf(tree).name.empty());
  tree.Pass(20s);
  CHECK(AtHome(tree, "clinic-a"));
}

TEST_CASE("a relay that has children changes its keys, and they stay with it") {
  Tree tree;
  tree.JoinAt("hq", "eu", true);
  tree.JoinAt("eu", "plant");
  const auto old = KeyOf(tree, "eu");
  const bool away = GENERATE(false, true);
  CAPTURE(away);
  if (away) {
    tree.StopNode("plant");
    tree.Pass(30s);
  }
  Must(tree.Ask<api::KeyRotated>("eu", api::verb::kKeyRotate, api::KeyRotateRequest{}));
  CHECK(KeyOf(tree, "eu") != old);
  if (away) tree.StartNode("plant");
  tree.Pass(120s);
  CHECK(AtHome(tree, "eu"));
  // One that was away hears of it from the root, which it reaches by another way.
  CHECK(AtHome(tree, "plant"));
  CHECK(PinOf(tree, "plant") == crypto::ToBytes(KeyOf(tree, "eu").bytes));
  for (const std::string name : {"eu", "plant"}) {
    tree.StopNode(name);
    tree.StartNode(name);
  }
  tree.Pass(60s);
  CHECK(AtHome(tree, "plant"));
}

TEST_CASE("whoever is killed while a relay changes its keys, its child comes back to it") {
  const std::string killed = GENERATE("hq", "eu", "plant");
  const int steps = GENERATE(range(1, 12));
  CAPTURE(killed, steps);
  Tree tree;
  tree.JoinAt("hq", "eu", true);
  tree.JoinAt("eu", "plant");
  {
    const Asked asked(tree, "eu", api::verb::kKeyRotate, ToJson(api::KeyRotateRequest{}));
    tree.Settle(steps);
  }
  tree.StopNode(killed);
  tree.StartNode(killed);
  tree.Pass(120s);
  CHECK(AtHome(tree, "eu"));
  CHECK(AtHome(tree, "plant"));
  CHECK(PinOf(tree, "plant") == crypto::ToBytes(KeyOf(tree, "eu").bytes));
}

TEST_CASE("a member takes no key of its parent but what the authority has certified, and nothing older") {
  Tree tree;
  tree.Join("clinic-a");
  tree.Join("clinic-b");
  const auto first = tree.Node("hq").membership().certificate;
  agent::ParentPin pin(tree.Node("clinic-a").context());
  CHECK(pin.Take(*tree.Node("hq").members().CertificateOf("clinic-b")).error().id == ErrorId::kCertificateInvalid);
  auto forged = first;
  forged.signature[5] ^= 1;
  CHECK_FALSE(pin.Take(forged).has_value());
  CHECK(pin.Take(first).has_value());
  CHECK(pin.Keys().size() == 1);
  Must(Rotate(tree));
  tree.Pass(20s);
  CHECK_FALSE(pin.Take(first).has_value());  // void, and older
  CHECK(pin.Keys() == std::vector<Bytes>{crypto::ToBytes(KeyOf(tree, "hq").bytes)});
}
