#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "agent/shim/process/health.h"
#include "agent/shim/process/limits.h"
#include "agent/shim/process/logs.h"
#include "agent/shim/process/spec.h"
#include "core/base/files.h"
#include "core/base/ids.h"

using namespace ote;
using namespace ote::agent::process;

namespace {

// A hierarchy of control groups as plain files.
struct Hierarchy {
  std::filesystem::path root = std::filesystem::temp_directory_path() / NewId("ote-groups");
  Hierarchy() { std::filesystem::create_directories(root); }
  ~Hierarchy() { std::filesystem::remove_all(root); }

  void Make(const std::string& folder, const std::vector<std::pair<std::string, std::string>>& files) const {
    std::filesystem::create_directories(root / folder);
    for (const auto& [name, content] : files) std::ofstream(root / folder / name) << content;
  }
  std::string Read(const std::string& path) const { return ReadTextFile(root / path).value(); }
};

api::AppResources Asked() {
  api::AppResources resources;
  resources.cpu_milli = 1'500;
  resources.memory = 1 << 20;
  return resources;
}

}  // namespace

TEST_CASE("limits are set in a control group of version 2 that this user was given") {
  const Hierarchy tree;
  tree.Make("", {{"cgroup.controllers", "cpu io memory"}});  // whose subtree_control may not be written
  tree.Make("user/agent", {{"cgroup.controllers", "cpu memory"}, {"cgroup.subtree_control", ""}});
  tree.Make("user/agent/ote-apps", {{"cgroup.subtree_control", ""}});
  tree.Make("user/agent/ote-apps/web.1", {{"memory.max", ""}, {"cpu.max", ""}, {"cgroup.kill", ""}});
  const auto limits = MakeLimits(
      Asked(), "web.1", {"30 29 0:26 / " + tree.root.string() + " rw - cgroup2 cgroup2 rw\n", "0::/user/agent\n"});
  CHECK(limits.means == "cgroup v2");
  REQUIRE(limits.groups.size() == 1);
  CHECK(limits.kill_file);
  CHECK(limits.address_space == 0);
  CHECK(tree.Read("user/agent/cgroup.subtree_control") == "+memory +cpu");
  CHECK(tree.Read("user/agent/ote-apps/web.1/memory.max") == "1048576");
  CHECK(tree.Read("user/agent/ote-apps/web.1/cpu.max") == "150000 100000");
}

TEST_CASE("limits are set by control groups of version 1, each where it can be, and by rlimits for the rest") {
  const Hierarchy tree;
  tree.Make("memory/ote-apps/web.1", {{"memory.limit_in_bytes", ""}});
  const std::string mounts = "30 29 0:26 / " + (tree.root / "memory").string() +
                             " rw - cgroup cgroup rw,memory\n31 29 0:27 / " + (tree.root / "none").string() +
                             " rw - cgroup cgroup rw,cpuacct,cpu\n";
  const auto limits = MakeLimits(Asked(), "web.1", {mounts, "4:memory:/\n3:cpuacct,cpu:/\n"});
  CHECK(limits.means == "memory by cgroup v1, cpu by nice, which is no limit");
  CHECK(limits.groups.size() == 1);
  CHECK(limits.nice > 0);
  CHECK(tree.Read("memory/ote-apps/web.1/memory.limit_in_bytes") == "1048576");
  const auto none = MakeLimits(Asked(), "web.1", {});
  CHECK(none.means == "memory by RLIMIT_AS, cpu by nice, which is no limit");
  CHECK(none.address_space == 1 << 20);
  CHECK(MakeLimits({}, "web.1", {mounts, ""}).means.empty());
}

TEST_CASE("only control groups of ours are read back from a state file") {
  CHECK(SplitGroups(JoinGroups({"/sys/fs/cgroup/ote-apps/a", "/sys/fs/cgroup/cpu/ote-apps/a"})).size() == 2);
  CHECK(SplitGroups("/sys/fs/cgroup/system.slice:/x/ote-apps/../y:").empty());
}

TEST_CASE("the first line of an HTTP answer is read as it comes") {
  CHECK_FALSE(HttpStatus(""));
  CHECK_FALSE(HttpStatus("HTT"));
  CHECK_FALSE(HttpStatus("HTTP/1.1 20"));
  CHECK(HttpStatus("HTTP/1.1 204 No Content\r\n") == 204);
  CHECK(HttpStatus("HTTP/1.0 503\n") == 503);
  for (const char* line : {"SSH-2.0\n", "HTTP/2 200\n", "HTTP/1.1 20x OK\n", "HTTP/1.1 2000\n", "HTTP/1.1\n"})
    CHECK(HttpStatus(line) == 0);
}

TEST_CASE("a log goes on in a new file when one is full, and a reader that was away finds its place") {
  const Hierarchy folder;
  LogWriter writer(folder.root, 200, 3);
  LogReader reader(folder.root, "r");
  writer.Write("out", "one\ntw", 1'000);
  CHECK(reader.Begin(10).size() == 1);
  writer.Write("err", "bad\n", 1'500);
  writer.Write("out", "o\n", 2'000);
  auto lines = reader.Next();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].text == "bad");
  CHECK(lines[1].text == "two");
  CHECK(lines[1].at == 2'000);
  CHECK(lines[1].replica == "r");
  // Two files further.
  for (int i = 0; i < 10; ++i) writer.Write("out", "line " + std::to_string(i) + "\n", 3'000);
  lines = reader.Next();
  REQUIRE(lines.size() == 10);
  CHECK(lines.front().text == "line 0");
  CHECK(lines.back().text == "line 9");
  CHECK(reader.Next().empty());
  LogReader late(folder.root, "r");
  lines = late.Begin(7);
  REQUIRE(lines.size() == 7);
  CHECK(lines.front().text == "line 3");
  // So far that its file is gone: told is the end of that one, which the reader holds, and all that is still there.
  for (int i = 10; i < 40; ++i) writer.Write("out", "line " + std::to_string(i) + "\n", 4'000);
  const auto kept = LogReader(folder.root, "r").Begin(-1);
  lines = reader.Next();
  REQUIRE(kept.size() > 10);
  REQUIRE(lines.size() > kept.size());
  CHECK(lines.front().text == "line 10");
  for (std::size_t i = 1; i <= kept.size(); ++i) CHECK(lines[lines.size() - i].text == kept[kept.size() - i].text);
}

TEST_CASE("what a file of a replica says is checked before it is believed") {
  CHECK(StaysInside("a/b.c"));
  for (const char* path : {"", "/a", "a/", "a//b", ".", "a/..", "../a"}) CHECK_FALSE(StaysInside(path));
  CHECK_FALSE(ParseSpec("{}"));
  CHECK_FALSE(ParseSpec(R"({"key":"w","app":"w","name":"w","build":"b","workload":{}})"));
  CHECK(ParseSpec(R"({"key":"w","app":"w","name":"w","build":"b","workload":{"command":["x"]}})"));
  CHECK_FALSE(ParseState(R"({"phase":"healthy","pid":-1})"));
  CHECK_FALSE(ParseOrder(R"({"order":"dance"})"));
  CHECK(ParseOrder(OrderLine(Order::kStop)).value() == Order::kStop);
}
