// The kubernetes shim as an agent drives it, against a server in a process of its own.
#include <algorithm>
#include <catch2/catch.hpp>

#include "agent/shim/kubernetes/watch.h"
#include "core/base/clock.h"
#include "test/fake/kube/shim_fixture.h"

using namespace ote;
using namespace ote::kube;
using agent::Shim;

using Fixture = ShimFixture;

TEST_CASE_METHOD(Fixture, "an app that is applied becomes healthy, and removed when it is") {
  Start();
  REQUIRE(Apply(Web(2)));
  REQUIRE(UntilPhase("web", api::AppPhase::kHealthy));
  CHECK(apps["web"].healthy == 2);
  CHECK(apps["web"].replicas.size() == 2);
  CHECK(apps["web"].replicas[0].node == "node-1");
  REQUIRE(Wait([&](Shim::Done done) { shim->Remove("web", std::move(done)); }));
  REQUIRE(UntilPhase("web", api::AppPhase::kRemoved));
  CHECK(Deployment().is_null());
}

TEST_CASE_METHOD(Fixture, "a shim that starts again keeps what is wanted and removes what is not") {
  Start();
  REQUIRE(Apply(Web(1)));
  auto other = Web(1);
  other.app = "old";
  REQUIRE(Apply(other));
  const Json before = Deployment();
  shim.reset();
  CHECK(Deployment() == before);  // what ran goes on
  Start({Web(1)});
  REQUIRE(posts.Until([&] { return server.Object("/apis/apps/v1/namespaces/default/deployments/old").is_null(); }));
  REQUIRE(UntilPhase("web", api::AppPhase::kHealthy));
  CHECK(Deployment()["metadata"]["uid"] == before["metadata"]["uid"]);
  CHECK(Deployment()["metadata"]["generation"] == before["metadata"]["generation"]);
}

TEST_CASE_METHOD(Fixture, "nodes are told with what apps may use of them, what is asked for, and the version") {
  Start();
  auto a = Web(2);
  a.workload.resources.cpu_milli = 250;
  a.workload.resources.memory = 1 << 20;
  a.digest = api::DigestOf(a.workload);
  REQUIRE(Apply(a));
  REQUIRE(posts.Until([&] { return cluster && cluster->used.cpu_milli == 500 && !cluster->version.empty(); }));
  CHECK(cluster->version == "v1.28.2+k3s1");
  CHECK(cluster->healthy);
  CHECK(cluster->capacity.cpu_milli == 3800);
  CHECK(cluster->capacity.memory == 7'864'320LL * 1024);
  CHECK(cluster->capacity.accelerators.at("nvidia.com/gpu") == 2);
  CHECK(cluster->used.memory == 2 << 20);
  CHECK(cluster->nodes.at(0).labels.at("disk") == "ssd");
}

TEST_CASE_METHOD(Fixture, "a node that is not ready is never shown as ready, and counts for no capacity") {
  Start();
  REQUIRE(posts.Until([&] { return cluster && !cluster->nodes.empty() && cluster->nodes[0].ready; }));
  Put("nodes", "",
      {{"metadata", {{"name", "node-1"}}},
       {"status",
        {{"allocatable", {{"cpu", "4"}}},
         {"conditions", {{{"type", "Ready"}, {"status", "Unknown"}, {"reason", "NodeStatusUnknown"}}}}}}});
  REQUIRE(posts.Until([&] { return !cluster->nodes[0].ready; }));
  CHECK(cluster->capacity.cpu_milli == 0);
  CHECK_THAT(cluster->nodes[0].message, Catch::Contains("NodeStatusUnknown"));
}

TEST_CASE_METHOD(Fixture, "a pod that crashes again and again makes the app degraded, and tells why") {
  Start();
  REQUIRE(Apply(Web(1)));
  REQUIRE(UntilPhase("web", api::AppPhase::kHealthy));
  Put("pods", "default",
      {{"metadata", {{"name", "web-1-0"}}},
       {"status",
        {{"phase", "Running"},
         {"conditions", {{{"type", "Ready"}, {"status", "False"}}}},
         {"containerStatuses",
          {{{"name", "app"},
            {"restartCount", 4},
            {"lastState", {{"terminated", {{"exitCode", 3}, {"reason", "Error"}}}}},
            {"state", {{"waiting", {{"reason", "CrashLoopBackOff"}, {"message", "back-off 40s"}}}}}}}}}}});
  Json d = {{"metadata", {{"name", "web"}}}, {"status", Deployment()["status"]}};
  d["status"]["readyReplicas"] = 0;
  Put("deployments", "default", d);
  REQUIRE(UntilPhase("web", api::AppPhase::kDegraded));
  CHECK(apps["web"].healthy == 0);
  CHECK_THAT(apps["web"].message, Catch::Contains("CrashLoopBackOff") && Catch::Contains("exited with 3"));
  CHECK(apps["web"].replicas[0].restarts == 4);
}

TEST_CASE_METHOD(Fixture, "a Deployment that somebody deletes is made again") {
  Start();
  REQUIRE(Apply(Web(1)));
  REQUIRE(UntilPhase("web", api::AppPhase::kHealthy));
  const std::string before = Deployment()["metadata"]["uid"];
  server.Control("remove", {{"plural", "deployments"}, {"namespace", "default"}, {"name", "web"}});
  REQUIRE(posts.Until([&] {
    const Json now = Deployment();
    return !now.is_null() && now["metadata"]["uid"] != before;
  }));
  REQUIRE(UntilPhase("web", api::AppPhase::kHealthy));
}

TEST_CASE_METHOD(Fixture, "watches go on after a version that is too old, and find what happened meanwhile") {
  Start();
  REQUIRE(Apply(Web(1)));
  REQUIRE(UntilPhase("web", api::AppPhase::kHealthy));
  server.Control("compact");
  REQUIRE(Apply(Web(3, 2)));
  REQUIRE(posts.Until([&] { return apps["web"].healthy == 3 && apps["web"].revision == 2; }));
}

TEST_CASE_METHOD(Fixture,
                 "watches that broke off are healthy again as soon as the server takes them, and list nothing anew") {
  Start();
  REQUIRE(
      posts.Until([&] { return cluster && cluster->healthy && !cluster->nodes.empty() && cluster->nodes[0].ready; }));
  server.Fault("GET /api/v1/nodes.watch=1", 3, {{"cut", true}});
  server.Seen();
  server.Control("hangup");
  REQUIRE(posts.Until([&] { return !cluster->healthy; }));
  CHECK_FALSE(cluster->nodes[0].ready);
  REQUIRE(posts.Until([&] { return cluster->healthy; }));
  CHECK(cluster->nodes[0].ready);
  const auto seen = server.Seen();
  CHECK(std::none_of(seen.begin(), seen.end(), [](const auto& s) { return s.find("nodes?limit=") != s.npos; }));
}

TEST_CASE_METHOD(Fixture, "events of our objects are told, and those of others are not") {
  Start();
  REQUIRE(Apply(Web(1)));
  REQUIRE(UntilPhase("web", api::AppPhase::kHealthy));
  const auto event = [this](const std::string& name, const Json& object) {
    Put("events", "default",
        {{"metadata", {{"name", name}}},
         {"involvedObject", object},
         {"reason", "BackOff"},
         {"type", "Warning"},
         {"count", 3},
         {"lastTimestamp", FormatTime(SystemClock().WallNow())},
         {"message", "restarting"}});
  };
  event("e1", {{"kind", "Pod"}, {"name", "other"}, {"uid", "other"}});
  event("e2", {{"kind", "Deployment"}, {"name", "web"}, {"uid", Deployment()["metadata"]["uid"]}});
  REQUIRE(posts.Until([&] { return !events.empty(); }));
  CHECK(events[0].subject == "Deployment/web");
  CHECK(events[0].warning);
  CHECK(events[0].count == 3);
}

TEST_CASE_METHOD(Fixture, "an app of the same name that another agent keeps elsewhere is not ours") {
  Start();
  REQUIRE(Apply(Web(1)));
  REQUIRE(UntilPhase("web", api::AppPhase::kHealthy));
  Put("pods", "kube-system",
      {{"apiVersion", "v1"},
       {"kind", "Pod"},
       {"metadata", {{"name", "theirs"}, {"labels", {{"ote/app", "web"}}}}},
       {"status", {{"phase", "Running"}, {"conditions", {{{"type", "Ready"}, {"status", "True"}}}}}}});
  server.Control("set", {{"logs", {{"web-2-0", {"ours"}}, {"theirs", {"theirs"}}}}});
  REQUIRE(Apply(Web(2, 2)));
  REQUIRE(posts.Until([&] { return apps["web"].healthy == 2 && apps["web"].revision == 2; }));
  CHECK(apps["web"].replicas.size() == 2);
  std::vector<std::string> lines;
  REQUIRE(Wait([&](Shim::Done done) {
    shim->Logs(
        {"web", "", 10, false},
        [&lines](const agent::LogLine& line) {
          lines.push_back(line.text);
          return true;
        },
        std::move(done));
  }));
  CHECK(lines == std::vector<std::string>{"ours"});
}

TEST_CASE_METHOD(Fixture, "what somebody changed is set right and told, what another manager took is told and left") {
  api::Assignment a;
  a.app = "web";
  a.revision = 1;
  a.workload.manifests =
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {key: ours}\n---\napiVersion: v1\nkind: ConfigMap\n"
      "metadata: {name: b}\ndata: {key: ours}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
      "spec:\n  selector: {matchLabels: {a: b}}\n  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: "
      "c, "
      "image: i}]}}\n";
  a.digest = api::DigestOf(a.workload);
  Start();
  REQUIRE(Apply(a));
  REQUIRE(UntilPhase("web", api::AppPhase::kHealthy));
  server.Control("remove", {{"plural", "configmaps"}, {"namespace", "default"}, {"name", "b"}});
  server.ApplyAs(
      "other", "/api/v1/namespaces/default/configmaps/a",
      {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "a"}}}, {"data", {{"key", "theirs"}}}});
  server.Control("remove", {{"plural", "deployments"}, {"namespace", "default"}, {"name", "web"}});
  REQUIRE(UntilPhase("web", api::AppPhase::kDegraded));
  CHECK(apps["web"].code == "OTE-E1108");
  CHECK_THAT(apps["web"].message, Catch::Contains("other") && Catch::Contains(".data.key"));
  CHECK(apps["web"].healthy == 1);
  CHECK(server.Object("/api/v1/namespaces/default/configmaps/a")["data"]["key"] == "theirs");
  CHECK(server.Object("/api/v1/namespaces/default/configmaps/b")["data"]["key"] == "ours");
  std::vector<std::string> told;
  for (const auto& event : events) told.push_back(event.kind + " " + event.subject);
  std::sort(told.begin(), told.end());
  CHECK(told ==
        std::vector<std::string>{"Drifted app web", "Healed ConfigMap default/b", "Healed Deployment default/web"});
}

TEST_CASE_METHOD(Fixture, "a refused app is failed with the reason and its code") {
  Start();
  auto a = Web(1);
  a.workload.image.clear();
  const auto applied = Apply(a);
  REQUIRE_FALSE(applied);
  REQUIRE(UntilPhase("web", api::AppPhase::kFailed));
  CHECK(apps["web"].code == "OTE-E1001");
}

TEST_CASE_METHOD(Fixture, "a right that lacks makes the shim unhealthy, and tells which") {
  server.Fault("GET /api/v1/nodes", 1000, {{"status", 403}});
  Start();
  REQUIRE(posts.Until([&] { return cluster && !cluster->healthy; }));
  CHECK_THAT(cluster->message, Catch::Contains("nodes"));
}

TEST_CASE_METHOD(Fixture, "a kind that may not be watched holds up the health of no app") {
  server.Fault("GET /apis/apps/v1/daemonsets", 1000, {{"status", 403}});
  Start();
  REQUIRE(Apply(Web(1)));
  REQUIRE(UntilPhase("web", api::AppPhase::kHealthy));
}

TEST_CASE("lists come in pages, and a page that expires is asked for again from the start") {
  KubeServer server;
  server.Control("many", {{"count", 1203}});
  Client client(server.Load("token"));
  server.Fault("continue=", 1, {{"status", 410}, {"body", {{"kind", "Status"}, {"code", 410}, {"reason", "Expired"}}}});
  server.Seen();
  std::mutex mutex;
  std::condition_variable done;
  int begun = 0;
  int items = 0;
  bool ended = false;
  Watch::Sink sink;
  sink.begin = [&] {
    ++begun;
    items = 0;
  };
  sink.item = [&](const Json& object) {
    if (object.value("kind", "") == "ConfigMap") ++items;
  };
  sink.end = [&] {
    const std::lock_guard lock(mutex);
    ended = true;
    done.notify_all();
  };
  sink.event = [](const std::string&, const Json&) {};
  sink.health = [](const Error*) {};
  Watch watch(client, "/api/v1/configmaps", "", sink);
  client.After({}, [&watch] { watch.Start(); });
  {
    std::unique_lock lock(mutex);
    REQUIRE(done.wait_for(lock, std::chrono::seconds(20), [&] { return ended; }));
  }
  client.Stop();
  CHECK(begun == 2);
  CHECK(items == 1203);
  // One page and the one that expired; three pages; and the watch from there.
  const auto seen = server.Seen();
  CHECK(std::count_if(seen.begin(), seen.end(), [](const auto& s) { return s.find("limit=500") != s.npos; }) == 5);
}
