// ote's own words become Kubernetes objects.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "agent/shim/kubernetes/json.h"
#include "agent/shim/kubernetes/translate.h"

using namespace ote;
using namespace ote::kube;

namespace {

const Artifact kNoFiles = [](const std::string&) -> Result<std::filesystem::path> {
  return Fail(ErrorId::kNotFound, "no such file");
};

api::Assignment Web() {
  api::Assignment a;
  a.app = "web";
  a.revision = 3;
  a.workload.image = "registry.test/web:1";
  a.workload.replicas = 2;
  a.digest = api::DigestOf(a.workload);
  return a;
}

const Json& Of(const std::vector<Object>& objects, const std::string& kind) {
  for (const Object& object : objects) {
    if (object.Kind() == kind) return object.json;
  }
  FAIL("no " << kind);
  std::abort();
}

}  // namespace

TEST_CASE("an app with an image becomes a Deployment that carries the app, its revision and its digest") {
  auto a = Web();
  a.workload.command = {"serve", "--dir=$(PWD)"};
  a.workload.resources.cpu_milli = 250;
  a.workload.resources.memory = 1 << 20;
  a.workload.resources.accelerators = 1;
  a.workload.stop_ms = 1500;
  a.workload.update = api::UpdateKind::kRecreate;
  const auto objects = Translate(a, kNoFiles);
  REQUIRE(objects);
  REQUIRE(objects->size() == 1);
  const Json& d = Of(*objects, "Deployment");
  CHECK(d["metadata"]["annotations"]["ote/revision"] == "3");
  CHECK(d["metadata"]["annotations"]["ote/digest"] == a.digest);
  CHECK(d["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "ote");
  CHECK(d["spec"]["replicas"] == 2);
  CHECK(d["spec"]["strategy"]["type"] == "Recreate");
  CHECK(d["spec"]["selector"]["matchLabels"]["ote/app"] == d["spec"]["template"]["metadata"]["labels"]["ote/app"]);
  const Json& pod = d["spec"]["template"]["spec"];
  CHECK(pod["terminationGracePeriodSeconds"] == 2);
  CHECK(pod["automountServiceAccountToken"] == false);
  const Json& c = pod["containers"][0];
  CHECK(c["command"] == Json({"serve", "--dir=$$(PWD)"}));
  CHECK(c["resources"]["limits"] == Json({{"cpu", "250m"}, {"memory", "1048576"}, {"nvidia.com/gpu", "1"}}));
  CHECK(c["resources"]["limits"] == c["resources"]["requests"]);
}

TEST_CASE("another number of replicas leaves the pods that run alone") {
  auto a = Web();
  const auto two = Translate(a, kNoFiles);
  a.workload.replicas = 5;
  a.digest = api::DigestOf(a.workload);
  const auto five = Translate(a, kNoFiles);
  REQUIRE((two && five));
  CHECK(Of(*two, "Deployment")["spec"]["template"] == Of(*five, "Deployment")["spec"]["template"]);
}

TEST_CASE("a native command without an image is refused with what to do") {
  auto a = Web();
  a.workload.image.clear();
  a.workload.command = {"/bin/true"};
  const auto objects = Translate(a, kNoFiles);
  REQUIRE_FALSE(objects);
  CHECK(objects.error().id == ErrorId::kAppInvalid);
  CHECK_THAT(objects.error().message, Catch::Contains("needs an image"));
}

TEST_CASE("ports become a Service, health checks become probes, secrets a Secret") {
  auto a = Web();
  a.workload.ports = {{"HTTP", 8080, 0, "tcp"}, {"", 53, 5353, "udp"}};
  a.workload.env = {{"MODE", "a"}, {"PASSWORD", "hunter2"}};
  a.workload.secret_env = {"PASSWORD"};
  a.workload.health.kind = api::HealthKind::kHttp;
  a.workload.health.port = 8080;
  a.workload.health.timeout_ms = 1500;
  const auto objects = Translate(a, kNoFiles);
  REQUIRE(objects);
  CHECK(Of(*objects, "Service")["spec"]["ports"][0] ==
        Json({{"name", "http"}, {"port", 8080}, {"targetPort", "http"}, {"protocol", "TCP"}}));
  const Json& c = Of(*objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
  CHECK(c["ports"][1] == Json({{"name", "p53-udp"}, {"containerPort", 53}, {"hostPort", 5353}, {"protocol", "UDP"}}));
  CHECK(c["readinessProbe"]["httpGet"] == Json({{"path", "/"}, {"port", 8080}}));
  CHECK(c["livenessProbe"]["initialDelaySeconds"] == 5);
  CHECK(c["livenessProbe"]["timeoutSeconds"] == 2);
  CHECK_THAT(Of(*objects, "Deployment").dump(), !Catch::Contains("hunter2"));
  CHECK(Of(*objects, "Secret")["data"]["PASSWORD"] == "aHVudGVyMg==");
}

TEST_CASE("files are mounted where the workload looks for them, secret ones from a Secret") {
  const auto path = std::filesystem::temp_directory_path() / ("ote-kube-file-" + std::to_string(::getpid()));
  std::ofstream(path) << "hello";
  auto a = Web();
  a.workload.files = {{"conf/a.txt", "d1", 5, 0640, false}, {"/etc/key", "d2", 5, 0400, true}};
  const auto objects = Translate(a, [&path](const std::string&) -> Result<std::filesystem::path> { return path; });
  std::filesystem::remove(path);
  REQUIRE(objects);
  CHECK(Of(*objects, "ConfigMap")["binaryData"]["f0"] == "aGVsbG8=");
  CHECK(Of(*objects, "Secret")["data"]["f1"] == "aGVsbG8=");
  const Json& pod = Of(*objects, "Deployment")["spec"]["template"]["spec"];
  CHECK(pod["containers"][0]["volumeMounts"][0]["mountPath"] == "/work/conf/a.txt");
  CHECK(pod["containers"][0]["volumeMounts"][1]["mountPath"] == "/etc/key");
  CHECK(pod["containers"][0]["workingDir"] == "/work");
  CHECK(pod["volumes"][0]["configMap"]["items"][0]["mode"] == 0640);
}

TEST_CASE("an app that is to end becomes a Job, another one for each workload") {
  auto a = Web();
  a.workload.restart = api::RestartPolicy::kNever;
  const auto one = Translate(a, kNoFiles);
  a.workload.env["A"] = "b";
  const auto two = Translate(a, kNoFiles);
  REQUIRE((one && two));
  CHECK(Of(*one, "Job")["spec"]["template"]["spec"]["restartPolicy"] == "Never");
  CHECK(Of(*one, "Job")["metadata"]["name"] != Of(*two, "Job")["metadata"]["name"]);
}

TEST_CASE("apps of one name from two tiers have two names in the cluster") {
  CHECK(NameOfKey("web") == "web");
  CHECK(NameOfKey("root/web") != NameOfKey("web"));
  CHECK(NameOfKey("root/web") != NameOfKey("root-web"));
  CHECK(NameOfKey("9lives").starts_with("app-9lives-"));
  CHECK(NameOfKey(std::string(200, 'x')).size() <= 45);
  CHECK(NameOfKey("a.b_C").find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos);
}

TEST_CASE("manifests keep what they say, and their pods are marked") {
  auto a = Web();
  a.workload = {};
  a.workload.manifests =
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: own}\nspec:\n  selector: {matchLabels: {a: b}}\n"
      "  template:\n    metadata: {labels: {a: b}}\n    spec: {containers: [{name: c, image: i}]}\n";
  const auto objects = Translate(a, kNoFiles);
  REQUIRE(objects);
  const Json& d = Of(*objects, "Deployment");
  CHECK(d["metadata"]["name"] == "own");
  CHECK(d["spec"]["selector"]["matchLabels"] == Json({{"a", "b"}}));
  CHECK(d["spec"]["template"]["metadata"]["labels"] == Json({{"a", "b"}, {"ote/app", "web"}}));
}
