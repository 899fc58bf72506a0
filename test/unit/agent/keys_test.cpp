#include <catch2/catch.hpp>

#include "core/store/key_ring.h"
#include "core/store/store.h"
#include "test/fake/tree.h"

using namespace ote;
using namespace std::chrono_literals;
using test::Must;
using test::Tree;

namespace {

Result<api::KeyRotated> Rotate(Tree& tree, const std::string& name, bool authority = false,
                               const std::string& request_id = {}) {
  return tree.Ask<api::KeyRotated>(name, api::verb::kKeyRotate, api::KeyRotateRequest{authority, request_id});
}

std::string Fingerprint(Tree& tree, const std::string& name) {
  return crypto::ToText(crypto::FingerprintOf(tree.Node(name).membership().AuthorityKey()));
}

crypto::RevocationBody List(Tree& tree, const std::string& name) {
  const auto& member = tree.Node(name).membership();
  return Must(crypto::CheckRevocationList(*member.revocations, member.AuthorityKey(), 0));
}

wire::Target Root(Tree& tree) { return {Tree::kRootEndpoint, Must(tree.Folder("hq").TransportKey()).Public()}; }

bool NoNextKeys(const store::StateFolder& folder) {
  return !std::filesystem::exists(folder.NextSignKeyFile()) && !std::filesystem::exists(folder.NextTransportKeyFile());
}

// Asks the agent of `name` to change its keys and does not wait for the answer.
class Asked {
 public:
  Asked(Tree& tree, const std::string& name, bool authority)
      : key_(Must(tree.Folder(name).ControlKey())), transport_(tree.network.MakeTransport(nullptr, nullptr)) {
    const auto folder = tree.Folder(name);
    const auto link =
        Must(transport_->Connect({folder.ControlEndpoint(), Must(folder.ControlServerKey()).Public()}, key_));
    transport_->Wait({});
    Must(transport_->Send(link,
                          wire::MakeRequest(1, api::verb::kKeyRotate, ToJson(api::KeyRotateRequest{authority, {}}))));
  }

 private:
  crypto::TransportKey key_;
  std::unique_ptr<wire::Transport> transport_;
};

}  // namespace

TEST_CASE("a member changes its keys, stays connected, and its old key opens nothing") {
  Tree tree;
  tree.Join("clinic-a");
  const auto folder = tree.Folder("clinic-a");
  const auto old_transport = Must(folder.TransportKey());
  const auto old_sign = Must(folder.SignKey()).Public();
  const auto before = tree.Shown("clinic-a").serial;
  const auto done = Must(Rotate(tree, "clinic-a"));
  CHECK(done.items.size() == 2);
  tree.Settle();
  CHECK(tree.Node("clinic-a").uplink().Connected());
  CHECK(tree.Shown("clinic-a").status == api::ClusterStatus::kReady);
  CHECK(tree.Shown("clinic-a").serial > before);
  CHECK(Must(folder.TransportKey()).Public() != old_transport.Public());
  CHECK(Must(folder.SignKey()).Public() != old_sign);
  CHECK(NoNextKeys(folder));
  CHECK(List(tree, "hq").Contains(before));
  CHECK(List(tree, "clinic-a").Contains(before));
  CHECK_FALSE(tree.TryClient(Root(tree), old_transport).has_value());
  tree.StopNode("clinic-a");
  tree.StartNode("clinic-a");
  tree.Settle();
  CHECK(tree.Node("clinic-a").uplink().Connected());
}

TEST_CASE("a connection that is open by the old key is cut when the new one is seen") {
  Tree tree;
  tree.Join("clinic-a");
  auto thief = tree.OpenClient(Root(tree), Must(tree.Folder("clinic-a").TransportKey()));
  Must(Rotate(tree, "clinic-a"));
  CHECK_FALSE(thief.Call(api::verb::kMemberHello, ToJson(api::MemberHello{}), 2s).has_value());
  CHECK(tree.Node("clinic-a").uplink().Connected());
}

TEST_CASE("the same request to change keys changes them once") {
  Tree tree;
  tree.Join("clinic-a");
  CHECK_FALSE(Must(Rotate(tree, "clinic-a", false, "r1")).already);
  const auto serial = tree.Shown("clinic-a").serial;
  CHECK(Must(Rotate(tree, "clinic-a", false, "r1")).already);
  CHECK(tree.Shown("clinic-a").serial == serial);
  CHECK_FALSE(Must(Rotate(tree, "clinic-a", false, "r2")).already);
  CHECK_FALSE(Must(Rotate(tree, "hq", true, "r1")).already);
  CHECK(Must(Rotate(tree, "hq", true, "r1")).already);
}

TEST_CASE("a member that does not reach its root keeps its keys as they are") {
  Tree tree;
  tree.Join("clinic-a");
  tree.StopNode("hq");
  tree.Pass(20s);
  const auto refused = Rotate(tree, "clinic-a");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().id == ErrorId::kUnreachable);
  CHECK(NoNextKeys(tree.Folder("clinic-a")));
}

TEST_CASE("whoever is killed at any step of a change of keys, the member comes back and the change ends") {
  const bool kill_member = GENERATE(true, false);
  const bool kill_root = GENERATE(true, false);
  const int steps = GENERATE(range(0, 9));
  CAPTURE(kill_member, kill_root, steps);
  Tree tree;
  tree.Join("clinic-a");
  const auto folder = tree.Folder("clinic-a");
  const auto old = Must(folder.TransportKey());
  {
    const Asked asked(tree, "clinic-a", false);
    tree.Settle(steps);
  }
  if (kill_member) tree.StopNode("clinic-a");
  if (kill_root) tree.StopNode("hq");
  if (kill_root) tree.StartNode("hq");
  if (kill_member) tree.StartNode("clinic-a");
  tree.Pass(60s);
  CHECK(tree.Node("clinic-a").uplink().Connected());
  CHECK(tree.Shown("clinic-a").status == api::ClusterStatus::kReady);
  CHECK(NoNextKeys(folder));
  CHECK(tree.Shown("clinic-a").serial == Must(tree.Node("clinic-a").membership().Own()).serial);
  if (Must(folder.TransportKey()).Public() != old.Public()) {
    CHECK_FALSE(tree.TryClient(Root(tree), old).has_value());
    CHECK(List(tree, "clinic-a").Contains(BigId{2}));
  } else {
    CHECK(steps == 0);  // it had not begun
  }
}

TEST_CASE("a request for other keys needs both the old and the new signing key") {
  Tree tree;
  tree.Join("clinic-a");
  tree.StopNode("clinic-a");
  const auto folder = tree.Folder("clinic-a");
  auto client = tree.OpenClient(Root(tree), Must(folder.TransportKey()));
  const auto sign = Must(folder.SignKey());
  const auto next = crypto::SigningKey::Generate();
  const auto stranger = crypto::SigningKey::Generate();
  api::RotateBody body;
  body.serial = BigId{2};
  body.sign_key = crypto::ToBytes(next.Public().bytes);
  body.transport_key = crypto::ToBytes(crypto::TransportKey::Generate().Public().bytes);
  const auto ask = [&](const crypto::SigningKey& by, std::string_view domain, const crypto::SigningKey& proof) {
    api::RotateRequest request;
    request.body = ToCbor(body);
    const auto signature = by.Sign(domain, request.body);
    request.signature.assign(signature.begin(), signature.end());
    const auto accepted = proof.Sign("ote-rotate-accept-v1", request.body);
    request.accepted.assign(accepted.begin(), accepted.end());
    return client.Ask<api::RenewReply>(api::verb::kMemberRotate, request, 2s);
  };
  CHECK(ask(stranger, "ote-rotate-v1", next).error().id == ErrorId::kSignatureInvalid);
  CHECK(ask(sign, "ote-renew-v1", next).error().id == ErrorId::kSignatureInvalid);
  CHECK(ask(sign, "ote-rotate-v1", stranger).error().id == ErrorId::kSignatureInvalid);
  body.serial = BigId{9};
  CHECK(ask(sign, "ote-rotate-v1", next).error().id == ErrorId::kCertificateInvalid);
  body.serial = BigId{2};
  body.transport_key = crypto::ToBytes(Must(folder.TransportKey()).Public().bytes);
  CHECK(ask(sign, "ote-rotate-v1", next).error().id == ErrorId::kConflict);
}

TEST_CASE("a root changes its signing key and keeps the transport key that others pin") {
  Tree tree;
  tree.Join("clinic-a");
  const auto folder = tree.Folder("hq");
  const auto sign = Must(folder.SignKey()).Public();
  const auto transport = Must(folder.TransportKey()).Public();
  Must(Rotate(tree, "hq"));
  CHECK(Must(folder.SignKey()).Public() != sign);
  CHECK(Must(folder.TransportKey()).Public() == transport);
  tree.StopNode("hq");
  tree.StartNode("hq");
  tree.Pass(10s);
  CHECK(tree.Node("clinic-a").uplink().Connected());
}

TEST_CASE("members take a new authority at once, or when they are back, any number of changes later") {
  Tree tree;
  tree.Join("clinic-a");
  tree.Join("clinic-b");
  const auto first = Fingerprint(tree, "hq");
  Must(Rotate(tree, "hq", true));
  tree.Settle();
  CHECK(Fingerprint(tree, "hq") != first);
  CHECK(Fingerprint(tree, "clinic-a") == Fingerprint(tree, "hq"));
  tree.StopNode("clinic-b");
  Must(Rotate(tree, "hq", true));
  Must(Rotate(tree, "hq", true));
  tree.Settle();
  const auto keys = Must(tree.Ask<api::KeyList>("hq", api::verb::kKeyList, api::Empty{}));
  CHECK(keys.items[0].changes == 3);
  CHECK(keys.items[0].waiting_for == std::vector<std::string>{"clinic-b"});
  tree.StopNode("hq");
  tree.StartNode("hq");
  tree.StartNode("clinic-b");
  tree.Pass(10s);
  for (const std::string name : {"clinic-a", "clinic-b"}) {
    CHECK(tree.Node(name).uplink().Connected());
    CHECK(Fingerprint(tree, name) == Fingerprint(tree, "hq"));
    CHECK(tree.Node(name).membership().successions.size() == 3);
    CHECK(tree.Shown(name).serial == Must(tree.Node(name).membership().Own()).serial);
  }
  CHECK(Must(tree.Ask<api::KeyList>("hq", api::verb::kKeyList, api::Empty{})).items[0].waiting_for.empty());
}

TEST_CASE("a new authority goes on with the number of the revocation list, and its serials") {
  Tree tree;
  tree.Join("clinic-a");
  tree.Join("clinic-b");
  Must(tree.Ask<api::Cluster>("hq", api::verb::kClusterRemove, api::NameRequest{"clinic-a"}));
  Must(Rotate(tree, "hq", true));
  tree.Settle();
  CHECK(List(tree, "hq").number >= 2);
  CHECK(List(tree, "clinic-b").number == List(tree, "hq").number);
  CHECK(List(tree, "clinic-b").Contains(BigId{2}));
}

TEST_CASE("a token that was made before the authority changed still admits") {
  Tree tree;
  const auto token = tree.Token();
  Must(Rotate(tree, "hq", true));
  Must(Rotate(tree, "hq", true));
  Must(tree.Enrol(token, "clinic-a"));
  tree.StartNode("clinic-a");
  tree.Settle();
  CHECK(tree.Node("clinic-a").uplink().Connected());
  CHECK(tree.Node("clinic-a").membership().Knows(Must(crypto::JoinToken::Parse(token)).authority));
  CHECK(Fingerprint(tree, "clinic-a") == Fingerprint(tree, "hq"));
}

TEST_CASE("a root that is killed at any step of a change of authority starts with one that its members take") {
  Tree tree;
  tree.Join("clinic-a");
  const auto folder = tree.Folder("hq");
  const auto first = Fingerprint(tree, "hq");
  const auto copy = tree.scratch() / "copy";
  const auto save = [&](const std::string& name) {
    std::filesystem::create_directories(copy);
    std::filesystem::copy_file(folder.path / name, copy / std::filesystem::path(name).filename(),
                               std::filesystem::copy_options::overwrite_existing);
  };
  const auto restore = [&](const std::string& saved, const std::string& name) {
    std::filesystem::copy_file(copy / saved, folder.path / name, std::filesystem::copy_options::overwrite_existing);
  };
  tree.StopNode("hq");
  save("member.json");
  save("keys/authority.key");
  save("ote.db");
  SECTION("the next key is made, and nothing else: the old authority goes on") {
    Must(store::MakeNextAuthorityKey(folder));
    tree.StartNode("hq");
    CHECK(Fingerprint(tree, "hq") == first);
    CHECK_FALSE(std::filesystem::exists(folder.NextAuthorityKeyFile()));
  }
  SECTION("member.json names the next key: the old one goes, and the certificates are issued again") {
    tree.StartNode("hq");
    tree.StopNode("clinic-a");
    Must(Rotate(tree, "hq", true));
    tree.StopNode("hq");
    std::filesystem::rename(folder.AuthorityKeyFile(), folder.NextAuthorityKeyFile());
    restore("authority.key", "keys/authority.key");
    restore("ote.db", "ote.db");
    tree.StartNode("hq");
    tree.StartNode("clinic-a");
    CHECK(Fingerprint(tree, "hq") != first);
    CHECK_FALSE(std::filesystem::exists(folder.NextAuthorityKeyFile()));
  }
  tree.Pass(20s);
  CHECK(tree.Node("clinic-a").uplink().Connected());
  CHECK(Fingerprint(tree, "clinic-a") == Fingerprint(tree, "hq"));
}

TEST_CASE("keys of another time than the membership are refused") {
  Tree tree;
  tree.Join("clinic-a");
  const auto folder = tree.Folder("clinic-a");
  const auto kept = tree.scratch() / "kept";
  std::filesystem::copy_file(folder.SignKeyFile(), kept);
  Must(Rotate(tree, "clinic-a"));
  tree.StopNode("clinic-a");
  std::filesystem::copy_file(kept, folder.SignKeyFile(), std::filesystem::copy_options::overwrite_existing);
  const auto opened = agent::Node::Open(folder.path, tree.clock, [&](const auto* key, auto* admission) {
    return Result<std::unique_ptr<wire::Transport>>(tree.network.MakeTransport(key, admission));
  });
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().id == ErrorId::kKeysMismatch);
}

TEST_CASE("only the root changes the authority") {
  Tree tree;
  tree.Join("clinic-a");
  CHECK(Rotate(tree, "clinic-a", true).error().id == ErrorId::kPermission);
}

TEST_CASE("the older certificate is void once a member was heard to hold the renewed one") {
  Tree tree(90'000);
  tree.Join("clinic-a");
  tree.Join("clinic-b");
  tree.Pass(70s);
  CHECK(tree.Shown("clinic-a").serial.value > 3);
  CHECK(List(tree, "hq").Contains(BigId{2}));
  CHECK(List(tree, "clinic-b").Contains(BigId{2}));
  CHECK(tree.Node("clinic-a").uplink().Connected());
}

TEST_CASE("a connection whose certificate has ended is cut within a heartbeat, and may only renew") {
  Tree tree(90'000);
  tree.Join("clinic-a");
  tree.StopNode("clinic-a");
  auto client = tree.OpenClient(Root(tree), Must(tree.Folder("clinic-a").TransportKey()));
  Must(client.Ask<api::MemberWelcome>(api::verb::kMemberHello, api::MemberHello{}, 5s));
  tree.clock.Advance(91s);
  SECTION("it speaks") { CHECK_FALSE(client.Call(api::verb::kMemberHeartbeat, Json::object(), 5s).has_value()); }
  SECTION("it is silent") {
    tree.Pass(5s);
    CHECK(client.Call(api::verb::kMemberHeartbeat, Json::object(), 5s).error().id == ErrorId::kUnreachable);
  }
  auto again = tree.OpenClient(Root(tree), Must(tree.Folder("clinic-a").TransportKey()));
  CHECK(again.Call(api::verb::kMemberHello, ToJson(api::MemberHello{}), 5s).error().id == ErrorId::kCertificateExpired);
}

TEST_CASE("a removal that was cut off after the list was written is finished at the next start") {
  Tree tree;
  tree.Join("clinic-a");
  tree.StopNode("hq");
  const auto folder = tree.Folder("hq");
  Bytes row;
  {
    auto store = Must(store::Store::Open(folder.Database()));
    row = Must(store.GetDoc("cluster", "clinic-a")).value();
  }
  tree.StartNode("hq");
  Must(tree.Ask<api::Cluster>("hq", api::verb::kClusterRemove, api::NameRequest{"clinic-a"}));
  tree.StopNode("hq");
  {
    auto store = Must(store::Store::Open(folder.Database()));
    Must(store.PutDoc("cluster", "clinic-a", row));
  }
  tree.StartNode("hq");
  tree.Pass(20s);
  CHECK_THROWS_WITH(tree.Shown("clinic-a"), Catch::Contains("not listed"));
  CHECK_FALSE(tree.Node("clinic-a").uplink().Connected());
}
