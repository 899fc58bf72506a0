// The logs of an app's pods, read and followed, against a server in a process of its own.
#include <algorithm>
#include <catch2/catch.hpp>

#include "test/fake/kube/shim_fixture.h"

using namespace ote;
using namespace ote::kube;
using agent::Shim;
using Fixture = ShimFixture;

TEST_CASE_METHOD(Fixture, "the logs of all replicas are read, and followed until the reader has enough") {
  Start();
  REQUIRE(Apply(Web(2)));
  server.Control("set", {{"logs", {{"web-1-0", {"a", "b"}}, {"web-1-1", {"c"}}}}});
  std::vector<std::string> lines;
  REQUIRE(Wait([&](Shim::Done done) {
    shim->Logs(
        {"web", "", 10, false},
        [&lines](const agent::LogLine& line) {
          lines.push_back(line.replica + " " + line.text);
          return true;
        },
        std::move(done));
  }));
  std::sort(lines.begin(), lines.end());
  CHECK(lines == std::vector<std::string>{"web-1-0 a", "web-1-0 b", "web-1-1 c"});
  // A stream that has no end holds up nothing else.
  std::optional<Result<void>> ended;
  int got = 0;
  shim->Logs(
      {"web", "web-1-0", 1, true}, [&got](const agent::LogLine&) { return ++got < 2; },
      [&ended](Result<void> r) { ended = std::move(r); });
  REQUIRE(posts.Until([&] { return got == 1; }));
  auto other = Web(1);
  other.app = "other";
  REQUIRE(Apply(other));
  CHECK_FALSE(ended.has_value());
  server.Control("set", {{"logs", {{"web-1-0", {"a", "b", "more"}}}}});
  REQUIRE(posts.Until([&] { return ended.has_value(); }));
  CHECK(got == 2);
  const auto none = Wait([&](Shim::Done done) {
    shim->Logs(
        {"web", "nobody", 1, false}, [](const agent::LogLine&) { return true; }, std::move(done));
  });
  REQUIRE_FALSE(none);
  CHECK(none.error().id == ErrorId::kNotFound);
}

TEST_CASE_METHOD(Fixture,
                 "who follows an app is told the logs of pods that come later, whole, and not of those that go") {
  Start();
  server.Control("set", {{"logs", {{"web-1-0", {"old", "a"}}, {"web-2-0", {"b", "c"}}, {"web-2-1", {"d"}}}}});
  REQUIRE(Apply(Web(1)));
  REQUIRE(UntilPhase("web", api::AppPhase::kHealthy));
  std::vector<std::string> lines;
  std::optional<Result<void>> ended;
  const auto stop = shim->Logs(
      {"web", "", 1, true},
      [&lines](const agent::LogLine& line) {
        lines.push_back(line.replica + " " + line.text);
        return true;
      },
      [&ended](Result<void> r) { ended = std::move(r); });
  REQUIRE(posts.Until([&] { return !lines.empty(); }));
  CHECK(lines == std::vector<std::string>{"web-1-0 a"});
  REQUIRE(Apply(Web(2, 2)));
  REQUIRE(posts.Until([&] { return lines.size() == 4; }));
  std::sort(lines.begin() + 1, lines.end());
  CHECK(lines == std::vector<std::string>{"web-1-0 a", "web-2-0 b", "web-2-0 c", "web-2-1 d"});
  // The scripted server ends no log by itself: that of the pod that went is given up.
  REQUIRE(server.Until([&] { return server.Control("count")["logs"] == 2; }));
  CHECK_FALSE(ended.has_value());
  stop();
  REQUIRE(posts.Until([&] { return ended.has_value(); }));
  CHECK(*ended);
}

TEST_CASE_METHOD(Fixture,
                 "a log that breaks off goes on behind the last line, and that of a container begun again is told") {
  Start();
  server.Control("set", {{"logs", {{"web-1-0", {"a", "b"}}}}});
  REQUIRE(Apply(Web(1)));
  REQUIRE(UntilPhase("web", api::AppPhase::kHealthy));
  std::vector<std::string> lines;
  const auto stop = shim->Logs(
      {"web", "web-1-0", 10, true},
      [&lines](const agent::LogLine& line) {
        lines.push_back(line.text);
        return true;
      },
      [](Result<void>) {});
  REQUIRE(posts.Until([&] { return lines.size() == 2; }));
  server.Control("hangup");
  server.Control("set", {{"logs", {{"web-1-0", {"a", "b", "c"}}}}});
  REQUIRE(posts.Until([&] { return lines.size() == 3; }));
  CHECK(lines.back() == "c");
  server.Control("set", {{"logs", {{"web-1-0", {"again"}}}}});
  Json status = server.Object("/api/v1/namespaces/default/pods/web-1-0")["status"];
  status["containerStatuses"][0]["restartCount"] = 1;
  Put("pods", "default", {{"metadata", {{"name", "web-1-0"}}}, {"status", status}});
  server.Control("hangup");
  REQUIRE(posts.Until([&] { return lines.size() == 4; }));
  CHECK(lines.back() == "again");
  stop();
}

TEST_CASE_METHOD(Fixture, "who follows logs that are not to be had is told so") {
  Start();
  REQUIRE(Apply(Web(1)));
  REQUIRE(UntilPhase("web", api::AppPhase::kHealthy));
  server.Fault("/log", 1000,
               {{"status", 404}, {"body", {{"kind", "Status"}, {"code", 404}, {"message", "no kubelet"}}}});
  const auto followed = Wait([&](Shim::Done done) {
    shim->Logs(
        {"web", "", 1, true}, [](const agent::LogLine&) { return true; }, std::move(done));
  });
  REQUIRE_FALSE(followed);
  CHECK_THAT(followed.error().message, Catch::Contains("no kubelet"));
}
