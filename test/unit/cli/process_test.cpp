#include "cli/daemon/process.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "cli/daemon/launch.h"
#include "core/base/files.h"
#include "test/unit/cli/harness.h"

namespace ote::cli {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kPatience{20'000};

DetachedProcess Shell(const Harness& harness, const std::string& script) {
  DetachedProcess process;
  process.program = "/bin/sh";
  process.arguments = {"-c", script, "sh"};
  process.log = harness.folder() / "log";
  return process;
}

TEST_CASE("a detached process reports on its descriptor, and logs what it prints") {
  const Harness harness;
  const auto said = StartDetached(Shell(harness, "echo out; echo err >&2; echo \"$1 $2\" >&3"), kPatience);
  REQUIRE(said);
  CHECK(*said == "--ready-fd 3\n");
  CHECK(ReadTextFile(harness.folder() / "log").value() == "out\nerr\n");
}

TEST_CASE("a detached process has a session of its own and no input, no secret and no file of ours") {
  const Harness harness;
  ::setenv("OTE_TOKEN", "secret", 1);
  const int ours = ::open("/dev/null", O_RDONLY);  // as a test runner leaves it open: without O_CLOEXEC
  const int high = ::fcntl(ours, F_DUPFD, 40);
  DetachedProcess process = Shell(harness, "read -r line; pwd >&3; echo \"$line|$OTE_TOKEN|\" >&3; [ -e /proc/$$/fd/" +
                                               std::to_string(high) + " ] && echo open >&3; exit 0");
  process.drop_variables = {"OTE_TOKEN"};
  const auto said = StartDetached(process, kPatience);
  ::unsetenv("OTE_TOKEN");
  ::close(high);
  ::close(ours);
  REQUIRE(said);
  CHECK(*said == "/\n||\n");
}

TEST_CASE("a program that is not there is reported as the error of an agent") {
  const Harness harness;
  DetachedProcess process = Shell(harness, "");
  process.program = "/no/such/program";
  const auto said = StartDetached(process, kPatience);
  REQUIRE(said);
  CHECK_THAT(*said, Catch::StartsWith("error {\"code\":\"OTE-E0505\"") && Catch::Contains("No such file"));
}

TEST_CASE("a detached process that says nothing is waited for no longer than asked") {
  const Harness harness;
  // It ends when its folder goes, or by itself.
  const auto said = StartDetached(Shell(harness, "sleep 2"), milliseconds(50));
  REQUIRE_FALSE(said);
  CHECK(said.error().id == ErrorId::kTimedOut);
}

TEST_CASE("a program that is run gives its output and its status") {
  std::string output;
  CHECK(RunQuietly({"sh", "-c", "echo one; exit 3"}, &output, kPatience).value() == 3);
  CHECK(output == "one\n");
  CHECK(RunQuietly({"sh", "-c", "kill -9 $$"}, nullptr, kPatience).value() == 137);
  const auto none = RunQuietly({"no-such-program-of-ote"}, nullptr, kPatience);
  REQUIRE_FALSE(none);
  CHECK(none.error().id == ErrorId::kNotFound);
}

TEST_CASE("an agent that does not start fails the command with its own error, and leaves the root made") {
  Harness harness;
  const auto folder = harness.folder() / "bin";
  REQUIRE(MakeFolder(folder));
  const std::string agent =
      "#!/bin/sh\necho 'error {\"code\":502,\"message\":\"tcp://127.0.0.1:1: in use\",\"hint\":\"\"}' >&3\n";
  REQUIRE(WriteFileAtomic(folder / "ote-agent", AsBytes(agent), 0755));
  harness.env["PATH"] = folder.string();
  const Outcome done = harness.Run({"cluster", "init", "hq", "--listen", "tcp://127.0.0.1:1", "-o", "json"});
  CHECK(done.status == 6);
  const Json error = ParseJson(done.out).value()["error"];
  CHECK(error["code"] == "OTE-E0502");
  CHECK(error["message"] == "the agent did not start: tcp://127.0.0.1:1: in use");
  CHECK_THAT(error["hint"].get<std::string>(), Catch::EndsWith("agent.log"));

  const std::string dying = "#!/bin/sh\necho 'the disk is on fire' >&2\n";
  REQUIRE(WriteFileAtomic(folder / "ote-agent", AsBytes(dying), 0755));
  const Outcome again = harness.Run({"cluster", "start"});
  CHECK(again.status == 1);
  CHECK_THAT(again.err, Catch::Contains("the agent ended before it was ready: the disk is on fire [OTE-E0505]"));

  harness.env["PATH"] = harness.folder().string();
  CHECK(harness.Run({"cluster", "start"}).status == 7);
}

}  // namespace
}  // namespace ote::cli
