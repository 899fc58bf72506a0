#include <catch2/catch.hpp>

#include "core/base/files.h"
#include "test/fake/tree.h"

using namespace ote;
using namespace std::chrono_literals;
using test::Must;
using test::Tree;

TEST_CASE("a cluster with a token becomes a ready member") {
  Tree tree;
  tree.Join("clinic-a", {{"region", "eu"}});
  const auto cluster = tree.Shown("clinic-a");
  CHECK(cluster.status == api::ClusterStatus::kReady);
  CHECK(cluster.labels == api::Labels{{"region", "eu"}});
  CHECK(cluster.parent == "hq");
  CHECK(cluster.serial.value == 2);
  CHECK_FALSE(cluster.certificate.has_value());
  CHECK(tree.Node("clinic-a").uplink().Connected());
}

TEST_CASE("a token is refused after its last use") {
  Tree tree;
  const auto token = tree.Token();
  CHECK(tree.Enrol(token, "clinic-a").has_value());
  const auto second = tree.Enrol(token, "clinic-b");
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().id == ErrorId::kTokenUsedUp);
}

TEST_CASE("a token made for two uses admits two clusters and no third") {
  Tree tree;
  api::TokenRequest request;
  request.uses = 2;
  const auto token = tree.Token(request);
  CHECK(tree.Enrol(token, "clinic-a").has_value());
  CHECK(tree.Enrol(token, "clinic-b").has_value());
  CHECK(tree.Enrol(token, "clinic-c").error().id == ErrorId::kTokenUsedUp);
}

TEST_CASE("a token is refused after its time") {
  Tree tree;
  const auto token = tree.Token();
  tree.clock.Advance(61min);
  CHECK(tree.Enrol(token, "clinic-a").error().id == ErrorId::kTokenExpired);
}

TEST_CASE("a revoked token is refused") {
  Tree tree;
  const auto token = tree.Token();
  const auto id = Must(crypto::JoinToken::Parse(token)).id;
  Must(tree.Ask<api::Token>("hq", api::verb::kTokenRevoke, api::NameRequest{id}));
  CHECK(tree.Enrol(token, "clinic-a").error().id == ErrorId::kTokenRevoked);
}

TEST_CASE("a token of another root meets a key that is not its own") {
  Tree tree;
  Tree other;
  CHECK(tree.Enrol(other.Token(), "clinic-a").error().id == ErrorId::kPinMismatch);
}

TEST_CASE("a token outlives a restart of the root") {
  Tree tree;
  const auto token = tree.Token();
  tree.StopNode("hq");
  tree.StartNode("hq");
  CHECK(tree.Enrol(token, "clinic-a").has_value());
}

TEST_CASE("the root keeps no secret of a token") {
  Tree tree;
  const auto text = tree.Token();
  const auto token = Must(crypto::JoinToken::Parse(text));
  const auto secret = Base64UrlEncode(token.secret.View());
  for (const auto& entry : std::filesystem::recursive_directory_iterator(tree.Folder("hq").path)) {
    if (!entry.is_regular_file()) continue;
    const auto content = Must(ReadTextFile(entry.path()));
    CHECK(content.find(std::string(AsText(token.secret.View()))) == std::string::npos);
    CHECK(content.find(secret) == std::string::npos);
  }
}

TEST_CASE("joining again with the same key gets the same certificate, though the token is used up") {
  Tree tree;
  const auto token = tree.Token();
  const auto first = Must(tree.Enrol(token, "clinic-a"));
  const auto again = Must(tree.Enrol(token, "clinic-a"));
  CHECK(again.reply.already);
  CHECK(again.reply.certificate.body == first.reply.certificate.body);
}

TEST_CASE("a name that is taken is refused, and the token stays good") {
  Tree tree;
  tree.Join("clinic-a");
  const auto token = tree.Token();
  std::filesystem::rename(tree.Folder("clinic-a").path, tree.scratch() / "elsewhere");
  tree.StopNode("clinic-a");
  CHECK(tree.Enrol(token, "clinic-a").error().id == ErrorId::kNameTaken);
  CHECK(tree.Enrol(token, "hq").error().id == ErrorId::kNameTaken);
  CHECK(tree.Enrol(token, "clinic-b").has_value());
}

TEST_CASE("a clock that is off is told by how much and which way") {
  Tree tree;
  const auto token = tree.Token();
  const auto ahead = tree.Enrol(token, "clinic-a", {}, 3'600'000);
  CHECK(ahead.error().id == ErrorId::kClockOff);
  CHECK(ahead.error().message.find("1h ahead") != std::string::npos);
  const auto behind = tree.Enrol(token, "clinic-a", {}, -600'000);
  CHECK(behind.error().message.find("10m behind") != std::string::npos);
  CHECK(tree.Enrol(token, "clinic-a", {}, 60'000).has_value());
}

TEST_CASE("a token gives its labels and lets nobody contradict them") {
  Tree tree;
  api::TokenRequest request;
  request.labels = {{"region", "eu"}};
  const auto token = tree.Token(request);
  CHECK(tree.Enrol(token, "clinic-a", {{"region", "us"}}).error().id == ErrorId::kRoleMismatch);
  const auto enrolled = Must(tree.Enrol(token, "clinic-a", {{"tier", "edge"}}));
  const auto body = Must(FromCbor<crypto::CertificateBody>(enrolled.reply.certificate.body));
  CHECK(body.labels == api::Labels{{"region", "eu"}, {"tier", "edge"}});
}

TEST_CASE("a link opened with a token may enrol and nothing else") {
  Tree tree;
  const auto token = Must(crypto::JoinToken::Parse(tree.Token()));
  auto client = tree.OpenClient({token.endpoints.front(), token.parent_key}, token.EnrolmentKey());
  for (const auto verb :
       {api::verb::kClusterList, api::verb::kTokenCreate, api::verb::kFlStart, api::verb::kMemberHello,
        api::verb::kArtifactGet, api::verb::kAgentStop, api::verb::kMemberRenew}) {
    const auto answer = client.Call(verb, Json::object(), 5s);
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().id == ErrorId::kPermission);
  }
}

TEST_CASE("a request whose proof or signature does not hold is refused") {
  Tree tree;
  const auto token = Must(crypto::JoinToken::Parse(tree.Token()));
  auto client = tree.OpenClient({token.endpoints.front(), token.parent_key}, token.EnrolmentKey());
  const auto sign = crypto::SigningKey::Generate();
  const auto transport = crypto::TransportKey::Generate();
  api::EnrolBody body;
  body.token = token.id;
  body.name = "clinic-a";
  body.sign_key.assign(sign.Public().bytes.begin(), sign.Public().bytes.end());
  body.transport_key.assign(transport.Public().bytes.begin(), transport.Public().bytes.end());
  body.now = tree.clock.WallNow();
  api::EnrolRequest good;
  good.body = ToCbor(body);
  const auto proof = crypto::Mac(token.ProofKey().View(), good.body);
  good.proof.assign(proof.begin(), proof.end());
  const auto signature = sign.Sign("ote-enrol-v1", good.body);
  good.signature.assign(signature.begin(), signature.end());

  auto bad_proof = good;
  bad_proof.proof[5] ^= 1;
  CHECK(client.Ask<api::EnrolReply>(api::verb::kEnrolRequest, bad_proof, 5s).error().id == ErrorId::kSignatureInvalid);
  auto bad_signature = good;
  bad_signature.signature[5] ^= 1;
  CHECK(client.Ask<api::EnrolReply>(api::verb::kEnrolRequest, bad_signature, 5s).error().id ==
        ErrorId::kSignatureInvalid);
  CHECK(client.Ask<api::EnrolReply>(api::verb::kEnrolRequest, good, 5s).has_value());
}
