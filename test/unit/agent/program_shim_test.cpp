#include "agent/shim/program/program_shim.h"

#include <csignal>

#include "core/base/files.h"
#include "test/unit/agent/shim_bench.h"

using namespace ote;
using namespace ote::agent;
using api::AppPhase;

namespace {

struct Bench : ShimBench {
  program::Patience patience;

  Bench() {
    patience.back_off_ms = 10;
    patience.back_off_most_ms = 100;
  }
  void Start(const std::string& command, const std::vector<api::Assignment>& wanted = {}) {
    auto context = Context();
    context.rest = command;
    auto made = program::MakeShim(std::move(context), patience);
    REQUIRE(made);
    shim = std::move(*made);
    REQUIRE(shim->Start(Hooks(), wanted));
  }
  // A program in Python: `body` is run for each request, with `ask` and `say`.
  std::string Program(const std::string& body) {
    const auto path = folder / "program.py";
    std::ofstream(path) << "import json, sys, os\n"
                           "def say(**d): print(json.dumps(d), flush=True)\n"
                           "for ask in map(json.loads, sys.stdin):\n"
                           "    if ask['do'] == 'hello':\n"
                           "        say(id=ask['id'], ok={'ote': 1, 'name': 'test'}); continue\n"
                        << body;
    return "/usr/bin/python3 " + path.string();
  }
  bool Unhealthy(const std::string& part) const {
    return !clusters.empty() && !clusters.back().healthy && clusters.back().message.find(part) != std::string::npos;
  }
};

api::Workload Shell(const std::string& script) {
  api::Workload workload;
  workload.command = {"/bin/sh", "-c", script};
  return workload;
}

}  // namespace

TEST_CASE("the example of a shim runs an app, tells how it is, shows its log, restarts it and stops it") {
  Bench bench;
  bench.Start(OTE_SOURCE_DIR "/templates/shims/example/shim.py");
  const auto assignment = Assigned("web", 1, Shell("echo $MODEL; echo $$ >pid; exec sleep 1000"));
  auto with_model = assignment;
  with_model.workload.env = {{"MODEL", "digits"}};
  REQUIRE(bench.Apply(with_model));
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy));
  CHECK(bench.Diff("web", assignment.workload) == "");
  CHECK(bench.Diff("web", Shell("other")) == "it would change\n");
  REQUIRE(bench.Again([&] { return bench.Lines("web") == std::vector<std::string>{"digits"}; }));
  REQUIRE(bench.Restart("web"));
  REQUIRE(bench.Again([&] { return bench.Lines("web") == std::vector<std::string>{"digits", "digits"}; }));
  CHECK(bench.Lines("web", 1).size() == 1);
  REQUIRE(bench.Remove("web"));
  CHECK(bench.Remove("web"));
  const auto lost = bench.Restart("web");
  REQUIRE_FALSE(lost);
  CHECK(lost.error().id == ErrorId::kShimFailed);
  REQUIRE(bench.Apply(Assigned("bad", 1, Shell("exit 7"))));
  REQUIRE(bench.UntilPhase("bad", AppPhase::kFailed));
  CHECK(bench.apps["bad"].message == "exited with 7");
}

TEST_CASE("a shim program that dies is started again and told everything that is wanted") {
  Bench bench;
  const auto command = bench.Program(
      "    if ask['do'] == 'restart': os.kill(os.getpid(), 9)\n"
      "    if ask['do'] == 'apply':\n"
      "        want = ask['assignment']\n"
      "        say(status={'app': want['app'], 'revision': want['revision'], 'phase': 'healthy', 'message': "
      "str(os.getpid())})\n"
      "    say(id=ask['id'], ok={})\n");
  bench.Start(command, {Assigned("old", 3, Shell("true"))});
  REQUIRE(bench.UntilPhase("old", AppPhase::kHealthy, 3));
  REQUIRE(bench.Apply(Assigned("new", 1, Shell("true"))));
  REQUIRE(bench.UntilPhase("new", AppPhase::kHealthy));
  const auto before = bench.apps["old"].message;
  const auto died = bench.Restart("old");
  REQUIRE_FALSE(died);
  CHECK(died.error().message.find("ended by signal 9") != std::string::npos);
  CHECK(bench.Unhealthy("ended by signal 9"));
  REQUIRE(bench.Until([&] { return bench.apps["old"].message != before && bench.apps["new"].message != before; }));
  REQUIRE(bench.Apply(Assigned("newer", 1, Shell("true"))));
  CHECK(bench.clusters.back().healthy);
  CHECK(bench.clusters.back().shim == "test");
}

TEST_CASE("a shim program that speaks nonsense is ended, with the beginning of what it said") {
  Bench bench;
  bench.Start(bench.Program("    print('Traceback (most recent call last): ' + 'x' * 1000, flush=True)\n"));
  bench.shim->Restart("web", [](const Result<void>&) {});
  REQUIRE(bench.Until([&] { return bench.Unhealthy("Traceback (most recent call last)"); }));
  CHECK(bench.Happened("shim-ended"));
  CHECK(bench.clusters.back().message.size() < 400);
}

TEST_CASE("a shim program that cannot be started, or says nothing, is told of and blocks nobody") {
  Bench bench;
  bench.Start("/no/such/program --flag");
  REQUIRE(bench.Until([&] { return bench.Unhealthy("/no/such/program"); }));
  bench.shim.reset();
  bench.clusters.clear();
  bench.patience.answer_ms = 50;
  bench.Start("sleep 1000");
  const auto done = bench.Wait([&](Shim::Done end) { bench.shim->Remove("web", std::move(end)); });
  REQUIRE_FALSE(done);
  CHECK(done.error().message.find("no answer") != std::string::npos);
  REQUIRE(bench.Until([&] { return bench.Unhealthy("no answer"); }));
}

TEST_CASE("a shim program of another version of the protocol is not used") {
  Bench bench;
  std::ofstream(bench.folder / "program.py") << "import json, sys\n"
                                                "ask = json.loads(sys.stdin.readline())\n"
                                                "print(json.dumps({'id': ask['id'], 'ok': {'ote': 2}}), flush=True)\n"
                                                "sys.stdin.read()\n";
  bench.Start("/usr/bin/python3 " + (bench.folder / "program.py").string());
  REQUIRE(bench.Until([&] { return bench.Unhealthy("version 2 of the protocol"); }));
}

TEST_CASE("lines of a log are told until nobody wants more") {
  Bench bench;
  bench.Start(bench.Program(
      "    if ask['do'] == 'cancel': say(happened={'at': 1, 'kind': 'cancelled', 'message': str(ask['of'])})\n"
      "    if ask['do'] == 'logs':\n"
      "        for i in range(50): say(line={'id': ask['id'], 'at': 5, 'replica': 'r', 'text': str(i)})\n"));
  LogQuery query;
  query.app = "web";
  query.follow = true;
  int lines = 0;
  const auto done = bench.Wait([&](Shim::Done end) {
    bench.shim->Logs(
        query, [&lines](const LogLine& line) { return line.text == std::to_string(lines) && ++lines < 10; },
        std::move(end));
  });
  CHECK(done);
  CHECK(lines == 10);
  REQUIRE(bench.Until([&] { return bench.Happened("cancelled"); }));
}

TEST_CASE("what a shim program says is an answer or one event, and nothing else") {
  using program::ParseAnswer;
  CHECK(ParseAnswer(R"({"id":1,"ok":{}})"));
  CHECK(ParseAnswer(R"({"id":1,"error":{"message":"no"},"more":1})"));
  CHECK(ParseAnswer(R"({"happened":{"at":1,"kind":"k"}})"));
  for (const char* line :
       {"", "x", "[]", "{}", R"({"id":1})", R"({"ok":{}})", R"({"id":"1","ok":{}})",
        R"({"id":1,"ok":{},"error":{"message":"no"}})", R"({"id":1,"ok":{},"happened":{"at":1,"kind":"k"}})",
        R"({"status":{"app":1}})", R"({"happened":{"at":1,"kind":"k"},"cluster":{"shim":"s"}})"}) {
    const auto answer = ParseAnswer(line);
    REQUIRE_FALSE(answer);
    CHECK(answer.error().id == ErrorId::kShimProtocol);
  }
  CHECK(program::ErrorOf({"no", "OTE-E1109"}).id == ErrorId::kKubeInvalid);
  CHECK(program::ErrorOf({"no", "E9999"}).id == ErrorId::kShimFailed);
}
