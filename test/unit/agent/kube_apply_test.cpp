// Apps as sets of objects, against a server that keeps to the rules of the published API.
#include <catch2/catch.hpp>

#include "agent/shim/kubernetes/apply.h"
#include "test/fake/kube/kube_server.h"

using namespace ote;
using namespace ote::kube;

namespace {

constexpr const char* kMap = "/api/v1/namespaces/default/configmaps/";
constexpr const char* kDeployments = "/apis/apps/v1/namespaces/default/deployments/";

struct Fixture {
  KubeServer server;
  Client client{server.Load("token")};
  std::atomic<bool> stop{false};
  Artifact no_files = [](const std::string&) -> Result<std::filesystem::path> {
    return Fail(ErrorId::kNotFound, "no such file");
  };

  // One as after a start: with what is on disk, and nothing else.
  Applier Fresh() {
    return Applier(client, Records(server.Folder() / "records"), no_files, {"default", std::chrono::seconds(20)},
                   &stop);
  }
  static api::Assignment Manifests(const std::string& app, const std::string& text) {
    api::Assignment a;
    a.app = app;
    a.revision = 1;
    a.workload.manifests = text;
    a.digest = api::DigestOf(a.workload);
    return a;
  }
  static api::Assignment Web(int replicas) {
    api::Assignment a;
    a.app = "web";
    a.revision = replicas;
    a.workload.image = "i:1";
    a.workload.replicas = replicas;
    a.digest = api::DigestOf(a.workload);
    return a;
  }
};

std::string Map(const std::string& name, const std::string& value, const std::string& ns = "") {
  return "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name +
         (ns.empty() ? "" : "\n  namespace: " + ns) + "\ndata:\n  key: " + value + "\n";
}

}  // namespace

TEST_CASE_METHOD(Fixture, "what is no longer wanted is deleted, and the parent shrinks after it") {
  auto applier = Fresh();
  REQUIRE(applier.Apply(Manifests(
      "app", Map("a", "one") + Map("b", "two") + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n")));
  const Json parent = server.Object(std::string(kMap) + "ote-app");
  const std::string id = ApplySetIdOf("ote-app", "default", "ConfigMap", "");
  CHECK(parent["metadata"]["labels"][kApplySetId] == id);
  CHECK(parent["metadata"]["annotations"][kApplySetKinds] == "ConfigMap,Secret");
  CHECK(server.Object(std::string(kMap) + "a")["metadata"]["labels"][kPartOf] == id);
  REQUIRE(applier.Apply(Manifests("app", Map("a", "three"))));
  CHECK(server.Object(std::string(kMap) + "a")["data"]["key"] == "three");
  CHECK(server.Object(std::string(kMap) + "b").is_null());
  CHECK(server.Object(std::string(kMap) + "ote-app")["metadata"]["annotations"][kApplySetKinds] == "ConfigMap");
  REQUIRE(applier.Remove("app"));
  CHECK(server.Object(std::string(kMap) + "a").is_null());
  CHECK(server.Object(std::string(kMap) + "ote-app").is_null());
  REQUIRE(applier.Remove("app"));
}

TEST_CASE_METHOD(Fixture, "the same again changes nothing") {
  auto applier = Fresh();
  REQUIRE(applier.Apply(Web(2)));
  const Json before = server.Object(std::string(kDeployments) + "web");
  REQUIRE(Fresh().Apply(Web(2)));
  CHECK(server.Object(std::string(kDeployments) + "web")["metadata"]["generation"] == before["metadata"]["generation"]);
}

TEST_CASE_METHOD(Fixture, "an object that somebody else made is not taken, nor deleted") {
  server.Control("put", {{"plural", "configmaps"},
                         {"namespace", "default"},
                         {"object", {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "a"}}}}}});
  auto applier = Fresh();
  const auto applied = applier.Apply(Manifests("app", Map("b", "x") + Map("a", "one")));
  REQUIRE_FALSE(applied);
  CHECK(applied.error().id == ErrorId::kKubeConflict);
  CHECK_THAT(applied.error().message, Catch::Contains("app.yaml") && Catch::Contains("ConfigMap default/a"));
  CHECK(server.Object(std::string(kMap) + "b").is_null());  // nothing was begun
  REQUIRE(applier.Remove("app"));
  CHECK_FALSE(server.Object(std::string(kMap) + "a").is_null());
}

TEST_CASE_METHOD(Fixture, "an object of another app is a conflict that names its set") {
  auto applier = Fresh();
  REQUIRE(applier.Apply(Manifests("one", Map("a", "x"))));
  const auto applied = applier.Apply(Manifests("two", Map("a", "y")));
  REQUIRE_FALSE(applied);
  CHECK_THAT(applied.error().message, Catch::Contains("belongs to another set"));
}

TEST_CASE_METHOD(Fixture, "a field that another manager owns is a conflict with its name and the field") {
  auto applier = Fresh();
  REQUIRE(applier.Apply(Web(2)));
  server.ApplyAs("autoscaler", std::string(kDeployments) + "web",
                 {{"apiVersion", "apps/v1"},
                  {"kind", "Deployment"},
                  {"metadata", {{"name", "web"}}},
                  {"spec", {{"replicas", 7}}}});
  const auto applied = applier.Apply(Web(3));
  REQUIRE_FALSE(applied);
  CHECK(applied.error().id == ErrorId::kKubeConflict);
  CHECK_THAT(applied.error().message, Catch::Contains("autoscaler") && Catch::Contains(".spec.replicas"));
  CHECK(server.Object(std::string(kDeployments) + "web")["spec"]["replicas"] == 7);
}

TEST_CASE_METHOD(Fixture, "an object that was deleted and made again by somebody else is left alone") {
  auto applier = Fresh();
  REQUIRE(applier.Apply(Manifests("app", Map("a", "x"))));
  server.Control("remove", {{"plural", "configmaps"}, {"namespace", "default"}, {"name", "a"}});
  server.Control("put", {{"plural", "configmaps"},
                         {"namespace", "default"},
                         {"object", {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "a"}}}}}});
  REQUIRE(applier.Remove("app"));
  CHECK_FALSE(server.Object(std::string(kMap) + "a").is_null());
}

TEST_CASE_METHOD(Fixture, "a namespace that was there before is used, and never deleted") {
  server.Control("put", {{"plural", "namespaces"},
                         {"object", {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "old"}}}}}});
  const std::string namespaces =
      "apiVersion: v1\nkind: Namespace\nmetadata: {name: old}\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: "
      "new}\n";
  auto applier = Fresh();
  // The objects in it stand before it: the order is ours.
  REQUIRE(applier.Apply(Manifests("app", Map("a", "x", "new") + Map("b", "x", "old") + "---\n" + namespaces)));
  CHECK(server.Object(std::string(kMap) + "ote-app")["metadata"]["annotations"][kApplySetNamespaces] == "new,old");
  REQUIRE(applier.Remove("app"));
  CHECK(server.Object("/api/v1/namespaces/new").is_null());
  CHECK_FALSE(server.Object("/api/v1/namespaces/old").is_null());
  CHECK(server.Object("/api/v1/namespaces/old/configmaps/b").is_null());
}

TEST_CASE_METHOD(Fixture, "an object of a kind that is defined beside it waits until the kind is served") {
  const std::string crd =
      "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: robots.lab.test}\n"
      "spec:\n  group: lab.test\n  scope: Namespaced\n  names: {kind: Robot, plural: robots}\n"
      "  versions: [{name: v1, served: true, storage: true}]\n";
  const std::string robot = "---\napiVersion: lab.test/v1\nkind: Robot\nmetadata: {name: r2}\nspec: {legs: 3}\n";
  for (const char* discovery : {"v2", "v2beta1", "plain"}) {
    INFO(discovery);
    server.Control("set", {{"discovery", discovery}});
    server.Control("store", {{"crd_delay", 0.5}});
    auto applier = Fresh();
    REQUIRE(applier.Apply(Manifests("lab", robot + crd)));
    CHECK(server.Object("/apis/lab.test/v1/namespaces/default/robots/r2")["spec"]["legs"] == 3);
    REQUIRE(applier.Remove("lab"));
  }
  const auto alone = Fresh().Apply(Manifests("x", "apiVersion: none.test/v1\nkind: Robot\nmetadata: {name: r}\n"));
  REQUIRE_FALSE(alone);
  CHECK_THAT(alone.error().message, Catch::Contains("x.yaml:1") && Catch::Contains("no such kind"));
}

TEST_CASE_METHOD(Fixture, "a field that the API does not know, or does not take, is refused with its name") {
  const std::string head = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n";
  server.Seen();
  const auto strict = Fresh().Apply(Manifests("app", head + "  replicaz: 1\n"));
  REQUIRE_FALSE(strict);
  CHECK(strict.error().id == ErrorId::kKubeInvalid);
  CHECK_THAT(strict.error().message, Catch::Contains("spec.replicaz"));
  const auto seen = server.Seen();  // no time heals it: it is not tried again
  CHECK(std::count_if(seen.begin(), seen.end(), [](const auto& s) { return s.find("PATCH /apis/apps") == 0; }) == 1);
  const auto invalid = Fresh().Apply(
      Manifests("app", head + "  selector: {matchLabels: {a: b}}\n  template: {spec: {containers: [{name: c}]}}\n"));
  REQUIRE_FALSE(invalid);
  CHECK_THAT(invalid.error().message, Catch::Contains("containers[0].image") && Catch::Contains("selector"));
}

TEST_CASE_METHOD(Fixture, "wherever an apply is cut, applying again heals it and removing leaves nothing") {
  const auto app = Manifests("app", Map("a", "x") + Map("b", "x") + Map("c", "x"));
  for (const char* cut : {"PATCH .*/ote-app", "PATCH .*/a[?]", "PATCH .*/b[?]", "PATCH .*/c[?]"}) {
    for (const bool again : {true, false}) {
      INFO(cut << " " << again);
      server.Fault(cut, 1, {{"status", 400}});
      REQUIRE_FALSE(Fresh().Apply(app));
      if (again) {
        REQUIRE(Fresh().Apply(app));
        CHECK(server.Object(std::string(kMap) + "c")["data"]["key"] == "x");
      }
      REQUIRE(Fresh().Remove("app"));
      for (const char* name : {"a", "b", "c", "ote-app"}) CHECK(server.Object(std::string(kMap) + name).is_null());
    }
  }
}

TEST_CASE_METHOD(Fixture, "an object that was made just before a crash is known again and removed by its UID") {
  auto applier = Fresh();
  const auto record = applier.Apply(Manifests("app", Map("a", "x")));
  REQUIRE(record);
  // As the record was before the server answered.
  auto before = *record;
  before.members[0].uid.clear();
  before.parent_uid.clear();
  REQUIRE(applier.Files().Save(before));
  REQUIRE(Fresh().Remove("app"));
  CHECK(server.Object(std::string(kMap) + "a").is_null());
  CHECK(server.Object(std::string(kMap) + "ote-app").is_null());
}

TEST_CASE_METHOD(Fixture, "a diff tells what would change, and changes nothing") {
  auto applier = Fresh();
  const auto fresh = applier.Diff(Manifests("app", Map("a", "one")));
  REQUIRE(fresh);
  CHECK_THAT(*fresh, Catch::Contains("--- /dev/null") && Catch::Contains("+  key: one"));
  CHECK(server.Object(std::string(kMap) + "a").is_null());
  REQUIRE(applier.Apply(Manifests("app", Map("a", "one") + Map("b", "x"))));
  const auto changed = applier.Diff(Manifests("app", Map("a", "two")));
  REQUIRE(changed);
  CHECK_THAT(*changed, Catch::Contains("-  key: one") && Catch::Contains("+  key: two") &&
                           Catch::Contains("+++ /dev/null") && !Catch::Contains("resourceVersion"));
  CHECK(server.Object(std::string(kMap) + "a")["data"]["key"] == "one");
  const auto same = applier.Diff(Manifests("app", Map("a", "one") + Map("b", "x")));
  REQUIRE(same);
  CHECK(same->empty());
}

TEST_CASE_METHOD(Fixture, "a restart changes the pods' template and nothing that was applied") {
  auto applier = Fresh();
  REQUIRE(applier.Apply(Web(1)));
  REQUIRE(applier.Restart("web", "2026-01-01T00:00:00Z"));
  const Json d = server.Object(std::string(kDeployments) + "web");
  CHECK(d["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] ==
        "2026-01-01T00:00:00Z");
  REQUIRE(applier.Apply(Web(1)));
  CHECK(server.Object(std::string(kDeployments) + "web")["metadata"]["generation"] == d["metadata"]["generation"]);
}

TEST_CASE_METHOD(Fixture, "a Deployment goes from a rolling update to none and back") {
  auto applier = Fresh();
  auto app = Web(1);
  REQUIRE(applier.Apply(app));
  CHECK(server.Object(std::string(kDeployments) + "web")["spec"]["strategy"].contains("rollingUpdate"));
  app.workload.update = api::UpdateKind::kRecreate;
  REQUIRE(applier.Apply(app));
  CHECK(server.Object(std::string(kDeployments) + "web")["spec"]["strategy"] == Json({{"type", "Recreate"}}));
  REQUIRE(applier.Apply(Web(1)));
}

TEST_CASE_METHOD(Fixture, "a job that ran and was cleared away is not run again") {
  auto applier = Fresh();
  auto app = Web(1);
  app.workload.restart = api::RestartPolicy::kNever;
  app.digest = api::DigestOf(app.workload);
  const auto record = applier.Apply(app);
  REQUIRE(record);
  const std::string path = "/apis/batch/v1/namespaces/default/jobs/" + record->members.at(0).name;
  CHECK_FALSE(server.Object(path).is_null());
  server.Control("remove", {{"plural", "jobs"}, {"namespace", "default"}, {"name", record->members.at(0).name}});
  REQUIRE(Fresh().Apply(app));
  CHECK(server.Object(path).is_null());
  app.workload.env["A"] = "b";
  app.digest = api::DigestOf(app.workload);
  const auto next = Fresh().Apply(app);
  REQUIRE(next);
  CHECK(next->members.size() == 1);
  CHECK(next->members.at(0).name != record->members.at(0).name);
}

TEST_CASE_METHOD(Fixture, "manifests go from the server's own strategy to Recreate and back") {
  const auto deployment = [](const std::string& strategy) {
    return Manifests("app", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n" + strategy +
                                "  selector: {matchLabels: {a: b}}\n  template:\n    metadata: {labels: {a: b}}\n"
                                "    spec: {containers: [{name: c, image: i}]}\n");
  };
  const auto strategy = [this] { return server.Object(std::string(kDeployments) + "d")["spec"]["strategy"]; };
  auto applier = Fresh();
  REQUIRE(applier.Apply(deployment("")));
  const Json rolling = {{"type", "RollingUpdate"}, {"rollingUpdate", {{"maxSurge", "25%"}, {"maxUnavailable", "25%"}}}};
  CHECK(strategy() == rolling);
  REQUIRE(applier.Apply(deployment("  strategy: {type: Recreate, rollingUpdate: null}\n")));
  CHECK(strategy() == Json({{"type", "Recreate"}}));
  REQUIRE(applier.Apply(deployment("  strategy: {rollingUpdate: {maxSurge: 1}}\n")));
  CHECK(strategy()["rollingUpdate"] == Json({{"maxSurge", 1}, {"maxUnavailable", "25%"}}));
  REQUIRE(applier.Apply(deployment("  strategy: {type: Recreate}\n")));
  CHECK(strategy() == Json({{"type", "Recreate"}}));
}

TEST_CASE_METHOD(Fixture, "what is still on its way out is waited for, and made anew") {
  const auto app = Manifests("app", "apiVersion: v1\nkind: Namespace\nmetadata: {name: new}\n" + Map("a", "x", "new"));
  auto applier = Fresh();
  REQUIRE(applier.Apply(app));
  const Json before = server.Object("/api/v1/namespaces/new");
  server.Control("store", {{"linger", 1.0}});
  REQUIRE(applier.Remove("app"));
  CHECK(server.Object("/api/v1/namespaces/new")["metadata"].contains("deletionTimestamp"));
  REQUIRE(applier.Apply(app));
  const Json after = server.Object("/api/v1/namespaces/new");
  CHECK(after["metadata"]["uid"] != before["metadata"]["uid"]);
  CHECK_FALSE(server.Object("/api/v1/namespaces/new/configmaps/a").is_null());
  // What another app names in a namespace that goes waits for it, too.
  const auto other = Manifests("other", Map("b", "x", "new"));
  REQUIRE(applier.Remove("app"));
  REQUIRE_FALSE(applier.Apply(other));  // and then it is gone
  CHECK(server.Object("/api/v1/namespaces/new").is_null());
}

TEST_CASE_METHOD(Fixture, "a pod waits until its new namespace has an account for it") {
  server.Fault("PATCH /api/v1/namespaces/default/pods", 2,
               {{"status", 403},
                {"body",
                 {{"kind", "Status"},
                  {"code", 403},
                  {"reason", "Forbidden"},
                  {"message",
                   "pods \"p\" is forbidden: error looking up service account default/default: "
                   "serviceaccount \"default\" not found"}}}});
  REQUIRE(Fresh().Apply(
      Manifests("app", "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i}]}\n")));
  CHECK_FALSE(server.Object("/api/v1/namespaces/default/pods/p").is_null());
}

TEST_CASE_METHOD(Fixture, "what somebody changed or removed is found, and set right by applying again") {
  const auto app = Manifests("app", Map("a", "x") + Map("b", "y"));
  auto applier = Fresh();
  REQUIRE(applier.Apply(app));
  CHECK(applier.Healed().empty());
  CHECK(applier.Drift(app) == std::string());
  server.Control("remove", {{"plural", "configmaps"}, {"namespace", "default"}, {"name", "b"}});
  CHECK(applier.Drift(app) == std::string("ConfigMap default/b"));
  REQUIRE(applier.Apply(app));
  CHECK(applier.Healed() == std::vector<std::string>{"ConfigMap default/b"});
  CHECK(applier.Drift(app) == std::string());
  // What is not ours is nobody's to set right.
  server.ApplyAs(
      "other", std::string(kMap) + "a",
      {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "a"}}}, {"data", {{"more", "z"}}}});
  CHECK(applier.Drift(app) == std::string("ConfigMap default/a"));
  REQUIRE(applier.Apply(app));
  CHECK(applier.Healed().empty());
  CHECK(applier.Drift(app) == std::string());
  CHECK(server.Object(std::string(kMap) + "a")["data"] == Json({{"key", "x"}, {"more", "z"}}));
}
