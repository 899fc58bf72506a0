#include "core/api/app_file.h"

#include <catch2/catch.hpp>

#include "crypto/digest.h"

using namespace ote;
using api::AppDocument;

namespace {

api::AppFileReader Reader() {
  api::AppFileReader reader;
  reader.file = [](const std::filesystem::path& path) -> Result<Bytes> {
    if (path == "page.html" || path == "token" || path == "bin/server") {
      const std::string text = "content of " + path.string() + "\n";
      return Bytes(text.begin(), text.end());
    }
    return Fail(ErrorId::kNotFound, path.string() + ": no such file");
  };
  reader.variable = [](const std::string& name) -> Result<std::string> {
    if (name == "API_KEY") return std::string("s3cret");
    return Fail(ErrorId::kNotFound, name + ": the variable is not set");
  };
  reader.selector = [](std::string_view text) -> Result<void> {
    if (text.find("==") != text.npos) return Fail(ErrorId::kSelectorInvalid, std::string(text) + ": two signs");
    return {};
  };
  return reader;
}

Result<AppDocument> Read(std::string_view text, const std::string& name = {}) {
  return api::ReadAppFile(text, "app.yaml", name, Reader());
}

void Refused(std::string_view text, ErrorId id, std::string_view message) {
  const auto read = Read(text);
  REQUIRE_FALSE(read);
  INFO(read.error().message);
  CHECK(read.error().id == id);
  CHECK(read.error().message.find(message) != std::string::npos);
}

constexpr std::string_view kFull = R"(name: web
command: [python3, -m, http.server, "8080"]
env:
  LEVEL: 3
  DEBUG: true
  KEY: {secret: {env: API_KEY}}
  TOKEN:
    secret:
      file: token
files:
  - path: index.html
    source: page.html
  - path: run.sh
    content: |
      echo hello
    mode: "0755"
ports:
  - port: 8080
resources:
  cpu: 500m
  memory: 64MiB
  accelerator: {kind: nvidia.com/gpu, count: 2}
healthCheck:
  http: {port: 8080, path: /healthz}
  interval: 2s
replicas: 2
restart: on-failure
update: recreate
stopTimeout: 3s
isolation: off
placement:
  selector: region=eu
  replicas: 3
  strategy: binpack
  constraints: [tier!=lab]
  prefer:
    - selector: disk=ssd
      weight: 20
  spreadBy: zone
rollout:
  maxUnavailable: 2
  canary: canary exists
  healthTimeout: 90s
  onFailure: rollback
replaceAfter: 10m
)";

}  // namespace

TEST_CASE("the short form of an app file says all that an app is") {
  const auto read = Read(kFull);
  REQUIRE(read);
  const auto& spec = read->spec;
  const auto& w = spec.workload;
  CHECK(spec.name == "web");
  CHECK(w.command == std::vector<std::string>{"python3", "-m", "http.server", "8080"});
  CHECK(w.env.at("LEVEL") == "3");
  CHECK(w.env.at("DEBUG") == "true");
  CHECK(w.env.at("KEY") == "s3cret");
  CHECK(w.env.at("TOKEN") == "content of token");
  CHECK(w.secret_env == std::vector<std::string>{"KEY", "TOKEN"});
  REQUIRE(w.files.size() == 2);
  CHECK(w.files[1].mode == 0755);
  REQUIRE(read->artifacts.size() == 2);
  CHECK(read->artifacts[0].digest == crypto::DigestOf(read->artifacts[0].bytes).ToString());
  CHECK(w.files[0].digest == read->artifacts[0].digest);
  CHECK(w.resources.cpu_milli == 500);
  CHECK(w.resources.memory == 64 << 20);
  CHECK(w.resources.accelerators == 2);
  CHECK(w.resources.accelerator == "nvidia.com/gpu");
  CHECK(w.health.kind == api::HealthKind::kHttp);
  CHECK(w.health.interval_ms == 2000);
  CHECK(w.replicas == 2);
  CHECK(w.stop_ms == 3000);
  CHECK(w.isolation == api::Isolation::kOff);
  CHECK(spec.placement.replicas == 3);
  CHECK(spec.placement.strategy == api::PlacementStrategy::kBinpack);
  CHECK(spec.placement.prefer.at(0).weight == 20);
  CHECK(spec.rollout.max_unavailable == 2);
  CHECK(spec.rollout.health_ms == 90'000);
  CHECK(spec.rollout.on_failure == api::OnFailure::kRollback);
  CHECK(spec.replace_after_ms == 600'000);
  // What is shown has no secrets.
  const auto shown = api::Shown(w);
  CHECK(shown.env.at("KEY") == "(secret)");
  CHECK(shown.env.at("LEVEL") == "3");
}

TEST_CASE("the values of a Secret among the manifests are not shown, and the rest is as it was") {
  api::Workload w;
  w.manifests = "---\nkind: ConfigMap\ndata: {about: Secret}\n";
  CHECK(api::Shown(w).manifests == w.manifests);
  w.manifests +=
      "---\nkind: Secret\nstringData: {password: hunter2}\n---\nkind: List\nitems: [{kind: Secret, data: {key: "
      "aHVudGVyMg==}}]\n";
  const auto shown = api::Shown(w).manifests;
  CHECK(shown.find("hunter2") == shown.npos);
  CHECK(shown.find("aHVudGVyMg") == shown.npos);
  CHECK(shown.find("password: \"(secret)\"") != shown.npos);
  CHECK(shown.find("about: Secret") != shown.npos);
}

TEST_CASE("an app file is refused with the line and the field that are wrong") {
  Refused("name: web\ncomand: [a]\n", ErrorId::kInputUnknownField,
          "app.yaml:2: comand: no such field; did you mean command?");
  Refused("command: [a]\n", ErrorId::kInputMissingField, "name");
  Refused("name: web\ncommand: [a]\nresources:\n  cpu: lots\n", ErrorId::kQuantityInvalid, "app.yaml:4: \"lots\"");
  Refused("name: web\ncommand: [a]\nresources:\n  memory: 64XB\n", ErrorId::kQuantityInvalid, "app.yaml:4");
  Refused("name: web\ncommand: [a]\nstopTimeout: soon\n", ErrorId::kInputBadValue, "app.yaml:3");
  Refused("name: web\ncommand: [a]\nplacement:\n  selector: a==b\n", ErrorId::kSelectorInvalid, "app.yaml:4");
  Refused("name: web\ncommand: [a]\nrollout:\n  maxUnavailable: 120%\n", ErrorId::kInputBadValue, "app.yaml:4");
  Refused("name: web\ncommand: [a]\nrollout:\n  onFailure: shrug\n", ErrorId::kInputBadValue, "app.yaml:4");
  Refused("name: web\ncommand: [a]\nfiles:\n  - path: x\n    source: absent\n", ErrorId::kNotFound, "app.yaml:5");
  Refused("name: web\ncommand: [a]\nenv:\n  K: {secret: {env: NONE}}\n", ErrorId::kNotFound, "app.yaml:4");
  Refused("name: web\ncommand: [a]\nhealthCheck:\n  tcp: {port: 1}\n  exec: [x]\n", ErrorId::kAppInvalid, "app.yaml:3");
  Refused("name: Web\ncommand: [a]\n", ErrorId::kAppInvalid, "app.yaml:1");
  Refused("name: web\ncommand: [a]\nreplicas: -1\n", ErrorId::kAppInvalid, "app.yaml:3");
  Refused("name: web\n", ErrorId::kAppInvalid, "command, an image, or manifests");
  Refused("", ErrorId::kAppInvalid, "there is no app in it");
  Refused("name: a\ncommand: [a]\n---\nname: b\n", ErrorId::kAppInvalid, "app.yaml:4");
}

TEST_CASE("manifests are taken as they are, with ote's own words before them") {
  constexpr std::string_view kHeaded = R"(apiVersion: ote/v1
kind: App
name: shop
placement: {selector: "*"}
--- # the first
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {level: "3"}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
)";
  const auto read = Read(kHeaded);
  REQUIRE(read);
  CHECK(read->spec.name == "shop");
  CHECK(read->spec.placement.selector == "*");
  CHECK(read->spec.workload.manifests.find("kind: Deployment") != std::string::npos);
  // Again from what it was written as.
  const auto again = Read(read->spec.workload.manifests, "shop");
  REQUIRE(again);
  CHECK(again->spec.workload.manifests == read->spec.workload.manifests);
  const auto unnamed = Read(read->spec.workload.manifests);
  REQUIRE(unnamed);
  CHECK(unnamed->spec.name == "settings");

  Refused("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\napiVersion: v1\nmetadata: {name: b}\n",
          ErrorId::kInputMissingField, "kind");
  Refused("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\napiVersion: v1\nkind: [x]\n", ErrorId::kInputBadValue,
          "app.yaml:6");
  Refused("apiVersion: v1\nkind: Pod\nmetadata:\n  labels: {}\n", ErrorId::kInputMissingField,
          "app.yaml:3: metadata.name");
  Refused("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\nx: [\n", ErrorId::kInputSyntax, "app.yaml:6");
}

TEST_CASE("a program is held to its digest, and brought along when it stands beside the app") {
  const auto beside = Read("name: a\ncommand: [./server, -v]\nexecutable: bin/server\n");
  REQUIRE(beside);
  REQUIRE(beside->spec.workload.files.size() == 1);
  CHECK(beside->spec.workload.files[0].path == "server");
  CHECK(beside->spec.workload.files[0].mode == 0755);
  CHECK(beside->spec.workload.executable == beside->artifacts.at(0).digest);
  const auto own = Read("name: a\ncommand: [/usr/bin/server]\nexecutable: bin/server\n");
  REQUIRE(own);
  CHECK(own->spec.workload.files.empty());
  CHECK(own->spec.workload.executable == beside->spec.workload.executable);
}

TEST_CASE("quantities are read as people and Kubernetes write them") {
  CHECK(*api::ParseCpu("500m") == 500);
  CHECK(*api::ParseCpu("2") == 2000);
  CHECK(*api::ParseCpu("0.25") == 250);
  for (const auto* bad : {"", "m", "-1", "1.2345", "1e3", "2 cores", "9999999"}) CHECK_FALSE(api::ParseCpu(bad));
  CHECK(*api::ParseQuantity("64MiB") == 64 << 20);
  CHECK(*api::ParseQuantity("64Mi") == 64 << 20);
  CHECK(*api::ParseQuantity("500k") == 500'000);
  for (const auto* bad : {"", "64XB", "-1", "i", "99999999999TiB"}) CHECK_FALSE(api::ParseQuantity(bad));
}
