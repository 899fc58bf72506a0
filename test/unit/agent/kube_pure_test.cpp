// What of the kubernetes shim needs no server: quantities, streams, manifests, diffs, discovery documents.
#include <catch2/catch.hpp>

#include "agent/shim/kubernetes/applyset.h"
#include "agent/shim/kubernetes/diff.h"
#include "agent/shim/kubernetes/discovery.h"
#include "agent/shim/kubernetes/fit.h"
#include "agent/shim/kubernetes/http.h"
#include "agent/shim/kubernetes/json.h"
#include "agent/shim/kubernetes/manifests.h"
#include "agent/shim/kubernetes/quantity.h"
#include "agent/shim/kubernetes/status.h"
#include "agent/shim/kubernetes/stream.h"
#include "core/base/files.h"

using namespace ote;
using namespace ote::kube;

TEST_CASE("a Kubernetes quantity is read as the API defines it") {
  CHECK(ParseMilli("100m").value() == 100);
  CHECK(ParseMilli("1").value() == 1000);
  CHECK(ParseMilli("1.5").value() == 1500);
  CHECK(ParseMilli("3920m").value() == 3920);
  CHECK(ParseMilli("250u").value() == 1);  // rounded up
  CHECK(ParseMilli("1500000n").value() == 2);
  CHECK(ParseUnits("1.5Gi").value() == 1'610'612'736);
  CHECK(ParseUnits("2e3").value() == 2000);
  CHECK(ParseUnits("2E3").value() == 2000);
  CHECK(ParseUnits("25e-1").value() == 3);
  CHECK(ParseUnits("7E").value() == 7'000'000'000'000'000'000);
  CHECK(ParseUnits("4Ei").value() == 4LL << 60);
  CHECK(ParseUnits("12Ki").value() == 12 * 1024);
  CHECK(ParseUnits(".5k").value() == 500);
  CHECK(ParseUnits("5.").value() == 5);
  CHECK(ParseUnits("-3").value() == -3);
  CHECK(ParseUnits("0").value() == 0);
  CHECK(ParseUnits("0.000000000000000000000000000001").value() == 1);
}

TEST_CASE("what is no Kubernetes quantity is refused") {
  for (const char* text : {"", "x", "1x", "Gi", "1.2.3", "1e", "1e+", "--1", "1 Gi", "1mi", "12E", "8Ei", "1e99", "+",
                           "99999999999999999999"}) {
    INFO(text);
    const auto read = ParseUnits(text);
    REQUIRE_FALSE(read);
    CHECK(read.error().id == ErrorId::kQuantityInvalid);
  }
  CHECK(ParseMilli("9e15").has_value());
  CHECK_FALSE(ParseMilli("1e16").has_value());
}

TEST_CASE("objects of a watch are found wherever the reads end") {
  const std::string text = "{\"a\":\"}\\\"{\",\"b\":[{\"c\":1}]}\n\n{\"d\":{}}\n{\"e\":\"\\\\\"}\n";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    ObjectSplitter splitter;
    std::vector<std::string> got;
    for (std::size_t at = 0; at < text.size(); at += size) {
      REQUIRE(splitter.Feed(std::string_view(text).substr(at, size), [&got](std::string_view object) {
        got.emplace_back(object);
        return true;
      }));
    }
    REQUIRE(got == std::vector<std::string>{"{\"a\":\"}\\\"{\",\"b\":[{\"c\":1}]}", "{\"d\":{}}", "{\"e\":\"\\\\\"}"});
  }
}

TEST_CASE("a watch that sends no objects, or one without an end, is given up") {
  const auto take = [](std::string_view) { return true; };
  CHECK_FALSE(ObjectSplitter().Feed("404 page not found", take));
  ObjectSplitter small(10);
  CHECK(small.Feed("{\"a\":\"", take));
  CHECK_FALSE(small.Feed("xxxxxxxxxxxxxx", take));
}

TEST_CASE("lines of a log are found wherever the reads end, and long ones come in parts") {
  std::vector<std::string> got;
  const auto take = [&got](std::string_view line) {
    got.emplace_back(line);
    return true;
  };
  LineSplitter lines(4);
  lines.Feed("ab", take);
  lines.Feed("\ncdefgh\n\nx\r\n", take);
  lines.Feed("yz", take);
  lines.End(take);
  CHECK(got == std::vector<std::string>{"ab", "cdef", "gh", "", "x", "yz"});
}

TEST_CASE("manifests are read document by document, with lists taken apart") {
  const auto objects = ParseManifests(
      "# a comment\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n---\n"
      "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata:\n    name: b\n"
      "    uid: copied\n  status: {}\n",
      "f.yaml");
  REQUIRE(objects);
  REQUIRE(objects->size() == 2);
  CHECK((*objects)[0].Label() == "ConfigMap v1 a");
  CHECK((*objects)[1].Label() == "Secret v1 b");
  CHECK_FALSE((*objects)[1].json["metadata"].contains("uid"));
  CHECK_FALSE((*objects)[1].json.contains("status"));
}

TEST_CASE("a manifest that lacks what it needs is refused with its line") {
  const auto refused = [](const std::string& text) {
    auto objects = ParseManifests(text, "f.yaml");
    REQUIRE_FALSE(objects);
    return objects.error().message;
  };
  const std::string first = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n---\n";
  CHECK_THAT(refused(first + "kind: Secret\nmetadata:\n  name: b\n"), Catch::Contains("apiVersion is missing"));
  CHECK_THAT(refused(first + "apiVersion: v1\nmetadata:\n  name: b\n"), Catch::Contains("kind is missing"));
  CHECK_THAT(refused(first + "apiVersion: v1\nkind: Secret\nmetadata: {}\n"),
             Catch::Contains("metadata.name is missing"));
  CHECK_THAT(refused(first + "apiVersion: v1\nkind: Secret\nmetadata:\n  name: b\n  labels:\n    a: 1\n"),
             Catch::Contains("f.yaml:11") && Catch::Contains("not a string"));
  CHECK_THAT(refused(first + first), Catch::Contains("twice"));
  CHECK_THAT(refused(first + "a: [\n"), Catch::Contains("f.yaml:"));
  CHECK_THAT(refused("# nothing\n"), Catch::Contains("no object"));
  CHECK_THAT(refused("apiVersion: v1\nkind: Pod\nmetadata:\n  generateName: x\n"), Catch::Contains("generateName"));
}

TEST_CASE("a parent's id is the one that KEP-3659 defines") {
  // printf 'ote-web.default.ConfigMap.' | sha256sum, in base64url
  CHECK(ApplySetIdOf("ote-web", "default", "ConfigMap", "") ==
        "applyset-frjDN8PGCJ6Ac92xJ6dMvmFhiin1wg9DDQ7WvqQcyfk-v1");
}

TEST_CASE("a diff shows what changes with three lines around it") {
  CHECK(UnifiedDiff("a\nb\n", "a\nb\n", "x", "y").empty());
  CHECK(UnifiedDiff("1\n2\n3\n4\n5\n6\n7\n8\n", "1\n2\n3\n4\nfive\n6\n7\n8\n", "x", "y") ==
        "--- x\n+++ y\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
  CHECK(UnifiedDiff("", "a\nb\n", "x", "y") == "--- x\n+++ y\n@@ -0,0 +1,2 @@\n+a\n+b\n");
}

TEST_CASE("a diff of a Secret tells that a value changes, and no value") {
  const Json before = {{"kind", "Secret"}, {"metadata", {{"name", "s"}}}, {"data", {{"a", "b2xk"}, {"b", "c2FtZQ=="}}}};
  Json after = before;
  after["data"]["a"] = "bmV3";
  const std::string diff = DiffObjects("Secret s", before, after);
  CHECK_THAT(diff, Catch::Contains("(hidden, after)"));
  CHECK_THAT(diff, !Catch::Contains("bmV3") && !Catch::Contains("b2xk") && !Catch::Contains("c2FtZQ"));
}

TEST_CASE("a discovery document gives kinds, and skips what could not be a path") {
  const Json document = Json::parse(R"({"kind":"APIGroupDiscoveryList","items":[{"metadata":{"name":"apps"},
    "versions":[{"version":"v1","resources":[
      {"resource":"deployments","responseKind":{"kind":"Deployment"},"scope":"Namespaced","verbs":["get","patch"]},
      {"resource":"../evil","responseKind":{"kind":"Evil"},"scope":"Cluster"}]}]}]})");
  const auto kinds = ParseAggregated(document);
  REQUIRE(kinds);
  REQUIRE(kinds->size() == 1);
  CHECK((*kinds)[0].Path("a b", "n/m") == "/apis/apps/v1/namespaces/a%20b/deployments/n%2Fm");
  CHECK((*kinds)[0].Can("patch"));
  CHECK_FALSE(ParseAggregated(Json::object()));
}

TEST_CASE("a refusal of the API names the fields, and a conflict the other manager") {
  const Json status = Json::parse(R"({"kind":"Status","message":"Apply failed with 1 conflict","code":409,
    "details":{"causes":[{"reason":"FieldManagerConflict","message":"conflict with \"helm\" using apps/v1",
    "field":".spec.replicas"}]}})");
  const Error error = StatusError(409, status, "Deployment web");
  CHECK(error.id == ErrorId::kKubeConflict);
  CHECK_THAT(error.message, Catch::Contains("helm") && Catch::Contains(".spec.replicas"));
  CHECK(StatusError(422, status, "x").id == ErrorId::kKubeInvalid);
  CHECK(StatusError(401, status, "x").id == ErrorId::kKubeRefused);
}

TEST_CASE("what is wrong with an object is told without all that is in it") {
  const std::string dump = "Invalid value: {\"Spec\":" + std::string(3000, 'x') + "}: field is immutable";
  const Json status = {
      {"kind", "Status"},
      {"message", "Job.batch \"once\" is invalid: [spec.a: Required value, spec.template: " + dump + "]"},
      {"details",
       {{"causes",
         {{{"field", "spec.a"}, {"message", "Required value"}},
          {{"field", "spec.template"}, {"message", dump}},
          {{"field", "spec.template"}, {"message", dump}}}}}}};
  const Error error = StatusError(422, status, "Job default/once");
  CHECK(error.message ==
        "Job default/once: Job.batch \"once\" is invalid (spec.a: Required value; spec.template: Invalid value: {...}: "
        "field "
        "is immutable)");
  CHECK_THAT(error.hint, Catch::Contains("another name"));
}

TEST_CASE("times of the API are read with fractions and offsets") {
  CHECK(TimeOf("1970-01-02T00:00:01Z") == 86'401'000);
  CHECK(TimeOf("1970-01-01T01:00:00.250123456+01:00") == 250);
  CHECK(TimeOf("yesterday") == 0);
}

TEST_CASE("an app is not healthy by what its objects were before it was applied") {
  Json deployment = Json::parse(R"({"kind":"Deployment","metadata":{"uid":"u","name":"web","generation":1,
    "labels":{"ote/app":"web"}},"spec":{"replicas":1},
    "status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1,"readyReplicas":1}})");
  AppFacts facts;
  facts.app = "web";
  facts.revision = 2;
  facts.applied = true;
  facts.expected = {{"u", 2, true}};
  const auto phase = [&] {
    const std::vector<WorkFacts> work{ReadWork(deployment)};
    return StatusOf(facts, work, {}, BehindOf(facts, work, {}, {})).phase;
  };
  CHECK(phase() == api::AppPhase::kProgressing);
  deployment["metadata"]["generation"] = 2;
  CHECK(phase() == api::AppPhase::kProgressing);  // the controller has not seen it
  deployment["status"]["observedGeneration"] = 2;
  CHECK(phase() == api::AppPhase::kHealthy);
  CHECK(StatusOf(facts, {}, {}, BehindOf(facts, {}, {}, {})).phase == api::AppPhase::kProgressing);
}

TEST_CASE("a job that ended and went is no trouble, one that was never seen is waited for") {
  AppFacts facts;
  facts.applied = true;
  facts.expected = {{"j", 1, false}};
  CHECK(BehindOf(facts, {}, {}, {}).missing);
  CHECK_FALSE(BehindOf(facts, {}, {}, {"j"}).missing);
}

TEST_CASE("a rollout that the controller gave up is failed, with its words") {
  const Json deployment = Json::parse(R"({"kind":"Deployment","metadata":{"uid":"u","name":"web","generation":1},
    "spec":{"replicas":1},"status":{"observedGeneration":1,"replicas":1,"updatedReplicas":1,"conditions":[
    {"type":"Progressing","status":"False","reason":"ProgressDeadlineExceeded","message":"too long"}]}})");
  AppFacts facts;
  facts.applied = true;
  const auto status = StatusOf(facts, {ReadWork(deployment)}, {}, {});
  CHECK(status.phase == api::AppPhase::kFailed);
  CHECK_THAT(status.message, Catch::Contains("Deployment web") && Catch::Contains("too long"));
}

TEST_CASE("pods that their controller is not to renew are not waited for") {
  Json set = Json::parse(R"({"kind":"StatefulSet","metadata":{"generation":2},"spec":{"replicas":3,
    "updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"partition":2}}},
    "status":{"observedGeneration":2,"readyReplicas":3,"updatedReplicas":0}})");
  CHECK_FALSE(ReadWork(set).current);
  set["status"]["updatedReplicas"] = 1;
  CHECK(ReadWork(set).current);
  const Json daemons = Json::parse(R"({"kind":"DaemonSet","metadata":{"generation":2},
    "spec":{"updateStrategy":{"type":"OnDelete"}},
    "status":{"observedGeneration":2,"desiredNumberScheduled":2,"numberReady":2,"updatedNumberScheduled":0}})");
  CHECK(ReadWork(daemons).current);
}

TEST_CASE("what a server would put in by itself is set, so that it goes when it is no longer wanted") {
  const auto fit = [](const char* text) {
    Json json = Json::parse(text);
    FitForApply(json);
    return json;
  };
  const Json rolling = Json::parse(R"({"maxSurge":"25%","maxUnavailable":"25%"})");
  CHECK(fit(R"({"apiVersion":"apps/v1","kind":"Deployment","spec":{}})")["spec"]["strategy"]["rollingUpdate"] ==
        rolling);
  const Json mixed = fit(R"({"apiVersion":"apps/v1","kind":"Deployment","spec":{"strategy":{"rollingUpdate":
    {"maxSurge":2}}}})");
  CHECK(mixed["spec"]["strategy"]["rollingUpdate"] == Json::parse(R"({"maxSurge":2,"maxUnavailable":"25%"})"));
  const Json recreate = fit(R"({"apiVersion":"apps/v1","kind":"Deployment","spec":{"strategy":{"type":"Recreate",
    "rollingUpdate":null}}})");
  CHECK(recreate["spec"]["strategy"] == Json::parse(R"({"type":"Recreate"})"));
  CHECK(fit(R"({"apiVersion":"apps/v1","kind":"StatefulSet","spec":{}})")["spec"]["updateStrategy"]["rollingUpdate"] ==
        Json::parse(R"({"partition":0})"));
  const Json secret = fit(R"({"apiVersion":"v1","kind":"Secret","data":{"a":"Yg=="},"stringData":{"a":"c","d":"e"}})");
  CHECK(secret == Json::parse(R"({"apiVersion":"v1","kind":"Secret","data":{"a":"Yw==","d":"ZQ=="}})"));
  // What has another form is the server's to refuse.
  for (const char* text : {R"({"apiVersion":"apps/v1","kind":"Deployment","spec":{"strategy":7}})",
                           R"({"apiVersion":"v1","kind":"Secret","stringData":{"a":1}})"}) {
    CHECK(fit(text) == Json::parse(text));
  }
}

TEST_CASE("what a pod asks for counts its containers together, or the one before them that asks for more") {
  const Json pod = Json::parse(R"({"metadata":{"uid":"p"},"spec":{"nodeName":"n",
    "containers":[{"resources":{"requests":{"cpu":"100m","memory":"1Gi"}}},{"resources":{"requests":{"cpu":"200m",
    "nvidia.com/gpu":"1"}}}],"initContainers":[{"resources":{"requests":{"cpu":"1","memory":"1Mi"}}}]},
    "status":{"phase":"Running"}})");
  const PodFacts facts = ReadPod(pod);
  CHECK(facts.running);
  CHECK_FALSE(facts.ready);
  CHECK(facts.asks.cpu_milli == 1000);
  CHECK(facts.asks.memory == 1 << 30);
  CHECK(facts.asks.accelerators.at("nvidia.com/gpu") == 1);
}

TEST_CASE("the manifest that runs an agent in a cluster is one, and gives it the rights that the manual names") {
  const auto text = ReadTextFile(std::string(OTE_SOURCE_DIR) + "/templates/kubernetes/agent.yaml");
  REQUIRE(text);
  auto objects = ParseManifests(*text, "agent.yaml");
  REQUIRE(objects);
  const auto find = [&objects](const std::string& kind) -> Json& {
    for (Object& object : *objects) {
      if (object.Kind() == kind) return object.json;
    }
    FAIL("no " << kind);
    std::abort();
  };
  const Json& pod = (*PodTemplate(find("StatefulSet")))["spec"];
  CHECK(pod["serviceAccountName"] == find("ServiceAccount")["metadata"]["name"]);
  CHECK(find("StatefulSet")["spec"]["volumeClaimTemplates"][0]["metadata"]["name"] == "state");
  CHECK(find("ClusterRoleBinding")["roleRef"]["name"] == find("ClusterRole")["metadata"]["name"]);
  for (const Json& rule : find("ClusterRole")["rules"]) {
    for (const Json& verb : rule["verbs"]) CHECK((verb == "get" || verb == "list" || verb == "watch"));
  }
  const auto page = ReadTextFile(std::string(OTE_SOURCE_DIR) + "/man/ote-kubernetes.7");
  REQUIRE(page);
  const auto begin = page->find("rules:");
  REQUIRE(begin != std::string::npos);
  const auto rules = ParseYaml(page->substr(begin, page->find(".EE", begin) - begin), "man", nullptr);
  REQUIRE(rules);
  CHECK((*rules)["rules"] == find("ClusterRole")["rules"]);
}
