// Every resource and every body of the wire in all its spellings.
#include <catch2/catch.hpp>

#include "core/api/requests.h"
#include "test/unit/api/filled.h"

namespace ote::api {
namespace {

#define OTE_RESOURCES                                                                                           \
  DatasetSummary, Cluster, Token, ColumnStats, Dataset, ModelSpec, TrainSpec, Metrics, StrategySpec, SitesSpec, \
      RunSpec, Task, UpdateOffer, RoundSite, Round, Refusal, ModelRef, Run, ModelEntry, RunEvent
#define OTE_BODIES                                                                                                   \
  NameRequest, EnrolHello, EnrolBody, EnrolRequest, TreeSettings, EnrolReply, MemberHello, MemberWelcome, RenewBody, \
      RenewRequest, RenewReply, DatasetList, ArtifactRange, ArtifactChunk, RoundRef, AgentStatus, ClusterList,       \
      TokenList, DataList, RunList, ModelList, LabelRequest, TokenRequest, TokenReply, DataAddRequest, StartRequest, \
      WatchRequest, ArtifactPut, ModelListRequest, ModelTagRequest, ModelRemoveRequest, ModelImportRequest,          \
      crypto::CertificateBody, crypto::Certificate, crypto::RevocationBody, crypto::RevocationList

TEMPLATE_TEST_CASE("a resource is the same after JSON, YAML and CBOR", "", OTE_RESOURCES, OTE_BODIES, Empty) {
  const Json made = ToJson(Filled<TestType>());

  const auto parsed = ParseJson(DumpJson(made));
  REQUIRE(parsed);
  const auto json = FromJson<TestType>(*parsed);
  REQUIRE(json);
  CHECK(ToJson(*json) == made);

  const auto yaml = FromYaml<TestType>(DumpYaml(made), "thing.yaml");
  INFO((yaml ? "" : yaml.error().message));
  REQUIRE(yaml);
  CHECK(ToJson(*yaml) == made);

  const auto cbor = FromCbor<TestType>(DumpCbor(made));
  REQUIRE(cbor);
  CHECK(ToJson(*cbor) == made);
}

TEMPLATE_TEST_CASE("a field that is not known is refused from people and passed over from peers", "", OTE_RESOURCES,
                   OTE_BODIES, Empty) {
  Json json = ToJson(Filled<TestType>());
  const Json made = json;
  json["colour"] = "blue";
  const auto read = FromJson<TestType>(json);
  REQUIRE_FALSE(read);
  CHECK(read.error().id == ErrorId::kInputUnknownField);
  CHECK_THAT(read.error().message, Catch::Contains("colour"));
  const auto wire = FromCbor<TestType>(DumpCbor(json));
  REQUIRE(wire);
  CHECK(ToJson(*wire) == made);
}

TEMPLATE_TEST_CASE("a required field that is missing is named, the others may be left out", "", OTE_RESOURCES,
                   OTE_BODIES) {
  const Json whole = ToJson(Filled<TestType>());
  Json least = Json::object();
  for (const std::string& field : RequiredFields<TestType>()) {
    Json json = whole;
    json.erase(field);
    const auto read = FromJson<TestType>(json);
    INFO(field);
    REQUIRE_FALSE(read);
    CHECK(read.error().id == ErrorId::kInputMissingField);
    CHECK_THAT(read.error().message, Catch::Contains(field));
    least[field] = whole[field];
  }
  CHECK(FromJson<TestType>(least));
}

TEMPLATE_TEST_CASE("a field of another type is refused from anybody", "", OTE_RESOURCES, OTE_BODIES) {
  const Json whole = ToJson(Filled<TestType>());
  for (const auto& [field, value] : whole.items()) {
    Json json = whole;
    // No field is a list of lists of lists.
    json[field] = Json::array({Json::array({Json::array()})});
    INFO(field);
    const auto people = FromJson<TestType>(json);
    REQUIRE_FALSE(people);
    CHECK(people.error().id == ErrorId::kInputBadValue);
    CHECK_FALSE(FromWire<TestType>(json));
  }
}

TEST_CASE("a resource is spelled in camel case, 64-bit ids as strings, bytes as base64url") {
  Cluster cluster;
  cluster.name = "clinic-a";
  cluster.serial = {18446744073709551615ULL};
  cluster.certificate = crypto::Certificate{{255, 255, 255}, {}};
  const Json json = Json::parse(DumpJson(ToJson(cluster)));
  CHECK(json["serial"] == "18446744073709551615");
  CHECK(json["joinedAt"] == 0);
  CHECK(json["certificate"]["body"] == "____");
  CHECK(json["status"] == "joined");
}

TEST_CASE("what is optional and not there is left out") {
  const Json token = ToJson(Token{});
  CHECK_FALSE(token.contains("proofKey"));
  CHECK_FALSE(token.contains("transportKey"));
  CHECK_FALSE(ToJson(Cluster{}).contains("certificate"));
  const Json metrics = ToJson(Metrics{});
  CHECK(metrics == Json{{"rows", 0}});
}

TEMPLATE_TEST_CASE("the names of an enum are read back, and no other", "", ClusterStatus, TokenStatus, crypto::Role,
                   DataFormat, DataTask, ModelKind, Activation, OptimizerKind, StrategyKind, TaskKind, RunStatus) {
  for (const auto& [value, name] : EnumNames<TestType>::kNames) {
    CHECK(EnumOf<TestType>(name) == value);
    CHECK(NameOf(value) == name);
  }
  CHECK_FALSE(EnumOf<TestType>(""));
  CHECK_FALSE(EnumOf<TestType>("?"));
}

}  // namespace
}  // namespace ote::api
