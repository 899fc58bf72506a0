
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <set>

#include "agent/shim/process/launch.h"
#include "agent/shim/process/link.h"
#include "core/base/files.h"
#include "test/unit/agent/process_bench.h"

using namespace ote;
using namespace ote::agent;
using api::AppPhase;

namespace {

using Bench = ProcessBench;

// Waits for a process that is not ours to be gone.
bool Gone(pid_t pid) {
  const Descriptor fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) return true;
  pollfd ended{fd.get(), POLLIN, 0};
  return ::poll(&ended, 1, 20'000) == 1;
}

// The supervisor over a command.
pid_t ParentOf(pid_t pid) {
  const auto text = ReadTextFile("/proc/" + std::to_string(pid) + "/stat");
  if (!text) return 0;
  pid_t parent = 0;
  std::sscanf(text->c_str() + text->rfind(')'), ") %*c %d", &parent);
  return parent;
}

}  // namespace

TEST_CASE("a command runs with the environment of its app and nothing of the agent's, and leaves no process behind") {
  Bench bench;
  ::setenv("OTE_SECRET_OF_THE_AGENT", "1", 1);
  bench.Start();
  auto workload =
      Shell("env | sort; pwd; ls /proc/self/fd | tr '\\n' ' '; echo; echo bad >&2; sleep 1000 & sleep 1000");
  workload.env = {{"MODEL", "a b"}, {"TOKEN", "x"}};
  REQUIRE(bench.Apply(Assigned("web", 1, workload)));
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy));
  const auto& status = bench.apps["web"];
  CHECK(status.revision == 1);
  CHECK(status.healthy == 1);
  REQUIRE(status.replicas.size() == 1);
  CHECK(bench.Happened("started"));
  const auto states = bench.States("web");
  REQUIRE(states.size() == 1);
  const auto work = states[0].first / "work";
  std::set<std::string> lines;
  REQUIRE(bench.Again([&] {
    for (const auto& line : bench.Lines("web")) lines.insert(line);
    return lines.contains("bad");
  }));
  CHECK(lines.contains("MODEL=a b"));
  CHECK(lines.contains("TOKEN=x"));
  CHECK(lines.contains("HOME=" + work.string()));
  CHECK(lines.contains("OTE_APP=web"));
  CHECK(lines.contains("OTE_CLUSTER=edge-1"));
  CHECK(lines.contains("OTE_REPLICA=" + status.replicas[0].name));
  CHECK(lines.contains(work.string()));
  CHECK(lines.contains("0 1 2 3 "));
  CHECK(lines.contains("bad"));
  for (const auto& line : lines) CHECK(line.find("SECRET_OF") == std::string::npos);
  // With the child that it started by itself.
  const auto pid = states[0].second.pid;
  const auto below = process::Below(static_cast<pid_t>(pid));
  const auto supervisor = ParentOf(static_cast<pid_t>(pid));
  CHECK(below.size() == 2);
  REQUIRE(bench.Remove("web"));
  CHECK(bench.Phase("web", AppPhase::kRemoved));
  CHECK(Gone(static_cast<pid_t>(pid)));
  for (const auto child : below) CHECK(Gone(child));
  CHECK(Gone(supervisor));
  CHECK_FALSE(std::filesystem::exists(bench.folder / "shim" / "web"));
  CHECK(bench.Remove("web"));
  CHECK(bench.Remove("never"));
}

TEST_CASE("a command that exits is started again after a while, and given up by name when it never becomes healthy") {
  Bench bench;
  bench.Start();
  auto workload = Shell("echo again; exit 3");
  workload.health.start_ms = 60'000;
  REQUIRE(bench.Apply(Assigned("web", 1, workload)));
  REQUIRE(bench.UntilPhase("web", AppPhase::kFailed));
  CHECK(bench.apps["web"].code == "OTE-E1104");
  CHECK(bench.apps["web"].message.find("exited with 3; started again in") != std::string::npos);
  CHECK(bench.Happened("exited", "exited with 3"));
  CHECK(bench.Happened("restarted"));
  CHECK(bench.RestartsOf("web") >= 3);
}

TEST_CASE("a command that is to run once ends well, and is not run again by the next agent") {
  Bench bench;
  bench.Start();
  auto workload = Shell("echo once");
  workload.restart = api::RestartPolicy::kOnFailure;
  const auto assignment = Assigned("job", 1, workload);
  REQUIRE(bench.Apply(assignment));
  REQUIRE(bench.UntilPhase("job", AppPhase::kHealthy));
  CHECK(bench.apps["job"].replicas[0].message == "finished: exited with 0");
  bench.Start({assignment});
  REQUIRE(bench.UntilPhase("job", AppPhase::kHealthy));
  const auto lines = bench.Lines("job");
  CHECK(std::count(lines.begin(), lines.end(), "once") == 1);
}

TEST_CASE("a command runs on while the agent is away, and is taken up as it is") {
  Bench bench;
  bench.Start();
  const auto assignment = Assigned("web", 1, Shell("echo begun; exec sleep 1000"));
  REQUIRE(bench.Apply(assignment));
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy));
  const auto pid = bench.PidOf("web");
  bench.Start({assignment});
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy));
  CHECK(bench.PidOf("web") == pid);
  CHECK(bench.RestartsOf("web") == 0);
  // The same again is no work.
  REQUIRE(bench.Apply(assignment));
  auto same = assignment;
  same.revision = 2;
  REQUIRE(bench.Apply(same));
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy, 2));
  CHECK(bench.PidOf("web") == pid);
  // What is not wanted any more is stopped.
  bench.Start({});
  CHECK(Gone(pid));
  CHECK(bench.Remove("web"));
}

TEST_CASE("an agent that is killed leaves its apps running, and the next one takes them up") {
  Bench bench;
  auto workload = Shell("exec sleep 1000");
  workload.replicas = 2;
  const auto assignment = Assigned("web", 1, workload);
  const pid_t agent = ::fork();
  REQUIRE(agent >= 0);
  if (agent == 0) {
    bench.Start();
    if (bench.Apply(assignment) && bench.UntilPhase("web", AppPhase::kHealthy)) ::kill(::getpid(), SIGKILL);
    ::_exit(1);
  }
  int status = 0;
  REQUIRE(::waitpid(agent, &status, 0) == agent);
  REQUIRE(WIFSIGNALED(status));
  std::set<std::int64_t> before, after;
  for (const auto& [folder, state] : bench.States("web")) before.insert(state.pid);
  CHECK(before.size() == 2);
  bench.Start({assignment});
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy));
  for (const auto& [folder, state] : bench.States("web")) after.insert(state.pid);
  CHECK(after == before);
  CHECK(bench.RestartsOf("web") == 0);
}

TEST_CASE("a supervisor that is killed takes its command along, and another one starts it again") {
  Bench bench;
  bench.Start();
  REQUIRE(bench.Apply(Assigned("web", 1, Shell("exec sleep 1000"))));
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy));
  const auto pid = bench.PidOf("web");
  ::kill(ParentOf(pid), SIGKILL);
  CHECK(Gone(pid));
  REQUIRE(bench.Until([&] { return bench.Happened("supervisor-lost"); }));
  REQUIRE(bench.Until([&] { return bench.RestartsOf("web") == 1 && bench.Phase("web", AppPhase::kHealthy); }));
  CHECK(bench.PidOf("web") != pid);
}

TEST_CASE("a command whose folder is deleted ends with its supervisor") {
  Bench bench;
  bench.Start();
  REQUIRE(bench.Apply(Assigned("web", 1, Shell("exec sleep 1000"))));
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy));
  const auto pid = bench.PidOf("web");
  const auto supervisor = ParentOf(pid);
  bench.shim.reset();
  std::filesystem::remove_all(bench.folder / "shim");
  CHECK(Gone(pid));
  CHECK(Gone(supervisor));
}

TEST_CASE("a file that was altered is not run, until a restart delivers it anew") {
  Bench bench;
  bench.Start();
  api::Workload workload;
  workload.command = {"./serve"};
  workload.isolation = api::Isolation::kOff;
  workload.health.start_ms = 50;
  const auto digest = bench.Artifact("#!/bin/sh\necho good\nexec sleep 1000\n");
  workload.files = {{"serve", digest, 0, 0755, false}, {"conf/key", bench.Artifact("hidden"), 0, 0644, true}};
  workload.executable = digest;
  REQUIRE(bench.Apply(Assigned("web", 1, workload)));
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy));
  const auto folder = bench.States("web")[0].first;
  CHECK((std::filesystem::status(folder / "work/conf/key").permissions() & std::filesystem::perms::all) ==
        std::filesystem::perms(0600));
  std::ofstream(folder / "work/serve") << "#!/bin/sh\necho evil\nexec sleep 1000\n";
  ::kill(bench.PidOf("web"), SIGKILL);
  REQUIRE(bench.UntilPhase("web", AppPhase::kFailed));
  CHECK(bench.apps["web"].code == "OTE-E1105");
  CHECK(bench.Happened("altered", "serve"));
  REQUIRE(bench.Restart("web"));
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy));
  for (const auto& line : bench.Lines("web")) CHECK(line != "evil");
}

TEST_CASE("a replica whose health check fails is restarted, and the status says why") {
  Bench bench;
  bench.Start();
  auto workload = Shell("test -e sick || { touch well; touch sick; }; exec sleep 1000");
  workload.health.kind = api::HealthKind::kExec;
  workload.health.command = {"/bin/sh", "-c", "test -e well"};
  workload.health.interval_ms = 20;
  workload.health.failures = 2;
  REQUIRE(bench.Apply(Assigned("web", 1, workload)));
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy));
  const auto pid = bench.PidOf("web");
  std::filesystem::remove(bench.States("web")[0].first / "work/well");
  REQUIRE(bench.Until([&] { return bench.RestartsOf("web") > 0; }));
  CHECK(bench.apps["web"].phase == AppPhase::kDegraded);
  CHECK(bench.apps["web"].replicas[0].message.find("unhealthy: /bin/sh: exited with 1") != std::string::npos);
  CHECK(bench.Happened("unhealthy"));
  CHECK(Gone(pid));
}

TEST_CASE("health is asked for by HTTP and by TCP") {
  Bench bench;
  bench.Start();
  auto workload = Shell(
      "exec /usr/bin/python3 -c \"import http.server as h; s = h.HTTPServer(('127.0.0.1', 0), "
      "h.SimpleHTTPRequestHandler); "
      "open('port.new', 'w').write(str(s.server_port)); import os; os.rename('port.new', 'port'); s.serve_forever()\"");
  workload.health.start_ms = 100;
  REQUIRE(bench.Apply(Assigned("server", 1, workload)));
  REQUIRE(bench.UntilPhase("server", AppPhase::kHealthy));
  const auto place = bench.States("server")[0].first / "work/port";
  REQUIRE(bench.Again([&] {
    bench.Lines("server", 0);
    return std::filesystem::exists(place);
  }));
  const auto port = std::stoll(*ReadTextFile(place));
  for (const auto kind : {api::HealthKind::kHttp, api::HealthKind::kTcp}) {
    auto asking = Shell("exec sleep 1000");
    asking.health.kind = kind;
    asking.health.port = port;
    asking.health.path = "/port";
    const auto name = "asks-" + std::string(NameOf(kind));
    REQUIRE(bench.Apply(Assigned(name, 1, asking)));
    REQUIRE(bench.UntilPhase(name, AppPhase::kHealthy));
  }
  auto wrong = Shell("exec sleep 1000");
  wrong.health = {api::HealthKind::kHttp, {}, port, "/none", 20, 2'000, 1, 0};
  REQUIRE(bench.Apply(Assigned("wrong", 1, wrong)));
  REQUIRE(bench.Until([&] { return bench.Happened("unhealthy", "/none answered with 404"); }));
}

TEST_CASE("a log is followed across rotations, and a long line is cut") {
  Bench bench;
  bench.patience.log_bytes = 5'000;
  bench.Start();
  auto workload = Shell("");
  workload.command.back() =
      "while [ ! -e go ]; do /bin/sleep 0.02; done; i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line $i; done; "
      "while [ ! -e long ]; do /bin/sleep 0.02; done; "
      "head -c 20000 /dev/zero | tr '\\0' x; echo; echo end; exec sleep 1000";
  REQUIRE(bench.Apply(Assigned("web", 1, workload)));
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy));
  std::vector<std::string> lines;
  bool ended = false;
  LogQuery query;
  query.app = "web";
  query.follow = true;
  query.tail = 0;
  const auto stop = bench.shim->Logs(
      query,
      [&lines](const LogLine& line) {
        CHECK(line.at > 0);
        lines.push_back(line.text);
        return true;
      },
      [&ended](const Result<void>& done) { ended = done.has_value(); });
  const auto folder = bench.States("web")[0].first;
  bench.Lines("web", 0);  // once this is answered, the follower is there
  std::ofstream(folder / "work/go") << "";
  // These go into two files, of three that are kept: however late the follower looks, it misses none.
  REQUIRE(bench.Until([&] { return lines.size() == 300; }));
  for (int i = 0; i < 300; ++i) CHECK(lines[static_cast<std::size_t>(i)] == "line " + std::to_string(i + 1));
  std::ofstream(folder / "work/long") << "";
  REQUIRE(bench.Until([&] { return lines.back() == "end"; }));
  stop();
  REQUIRE(bench.Until([&] { return ended; }));
  REQUIRE(lines.size() == 302);
  CHECK(lines[300].size() == (16 << 10) + 3);
  CHECK(std::filesystem::exists(folder / "log.2"));
  CHECK_FALSE(std::filesystem::exists(folder / "log.3"));
  CHECK(bench.Lines("web", 1) == std::vector<std::string>{"end"});
}

TEST_CASE("a command has no more memory than its limit, by whatever means there are") {
  Bench bench;
  bench.Start();
  auto workload = Shell("head -c 64M /dev/zero | tail -c 64M | wc -c; echo over; exec sleep 1000");
  workload.resources.memory = 16 << 20;
  workload.resources.cpu_milli = 500;
  REQUIRE(bench.Apply(Assigned("web", 1, workload)));
  REQUIRE(bench.Until([&] { return bench.Happened("started", "cgroup") || bench.Happened("started", "RLIMIT_AS"); }));
  // The shell outlives what it started, or goes with it.
  REQUIRE(bench.Again([&] {
    const auto lines = bench.Lines("web");
    CHECK(std::count(lines.begin(), lines.end(), "67108864") == 0);
    return bench.Happened("exited") || std::count(lines.begin(), lines.end(), "over") > 0;
  }));
}

TEST_CASE("an isolated command sees the system, its own folder, and nothing of the agent's") {
  const auto walls = process::FindWalls();
  if (walls.program.empty()) return;
  Bench bench;
  std::ofstream(bench.folder / "member.json") << "{}";
  bench.Start();
  auto workload = Shell("ls " + bench.folder.string() +
                        "; cat /etc/ote-app.conf; touch mine && echo wrote; touch /usr/x; "
                        "trap 'echo bye; exit 0' TERM; echo ready; sleep 1000 & wait");
  workload.isolation = api::Isolation::kRequire;
  workload.files = {{"/tmp/settings/app.conf", bench.Artifact("setting\n"), 0, 0644, false}};
  workload.command.back().replace(workload.command.back().find("/etc/ote-app.conf"), 17, "/tmp/settings/app.conf");
  REQUIRE(bench.Apply(Assigned("web", 1, workload)));
  REQUIRE(bench.UntilPhase("web", AppPhase::kHealthy));
  CHECK(bench.apps["web"].replicas[0].message == "isolated by bubblewrap");
  std::vector<std::string> lines;
  REQUIRE(bench.Again([&] {
    lines = bench.Lines("web");
    return std::count(lines.begin(), lines.end(), "ready") == 1;
  }));
  const auto has = [&lines](const std::string& line) { return std::count(lines.begin(), lines.end(), line) == 1; };
  CHECK(has("setting"));
  CHECK(has("wrote"));
  CHECK(has("shim"));
  CHECK_FALSE(has("member.json"));
  CHECK(std::any_of(lines.begin(), lines.end(),
                    [](const auto& line) { return line.find("Read-only file system") != std::string::npos; }));
  // Asked to stop, it can say good-bye.
  REQUIRE(bench.Restart("web"));
  REQUIRE(bench.Until([&] { return bench.RestartsOf("web") == 1; }));
  const auto all = bench.Lines("web");
  CHECK(std::count(all.begin(), all.end(), "bye") == 1);
}

TEST_CASE("what cannot be run here is refused with its reason") {
  Bench bench;
  bench.Start();
  const auto why = [&bench](const api::Workload& workload) {
    const auto refused = bench.Apply(Assigned("web", 1, workload));
    REQUIRE_FALSE(refused);
    return refused.error().message;
  };
  api::Workload image;
  image.image = "registry/app:1";
  CHECK(why(image).find("processes, not containers") != std::string::npos);
  CHECK(why({}).find("no command") != std::string::npos);
  for (const char* path : {"../x", "a/../../x", "/etc/x", "", "a//b"}) {
    auto workload = Shell("true");
    workload.files = {{path, bench.Artifact("x"), 0, 0644, false}};
    CHECK_FALSE(bench.Apply(Assigned("web", 1, workload)));
  }
  auto missing = Shell("true");
  missing.files = {{"x", "blake2b:00", 0, 0644, false}};
  CHECK(bench.Apply(Assigned("web", 1, missing)).error().id == ErrorId::kNotFound);
  CHECK_FALSE(bench.Apply(Assigned("../web", 1, Shell("true"))));
  CHECK(bench.apps.empty());
  CHECK(bench.Restart("web").error().id == ErrorId::kAppUnknown);
}

TEST_CASE("the machine is told as a cluster of one node, and a difference names what would change") {
  Bench bench;
  bench.Start();
  REQUIRE(bench.Until([&] { return !bench.clusters.empty(); }));
  const auto& status = bench.clusters.front();
  CHECK(status.shim == "process");
  CHECK(status.capacity.cpu_milli >= 1000);
  CHECK(status.capacity.memory > status.used.memory);
  CHECK(status.capacity.disk > 0);
  REQUIRE(status.nodes.size() == 1);
  CHECK(status.nodes[0].ready);
  auto workload = Shell("exec sleep 1000");
  workload.env = {{"KEY", "old-secret"}};
  workload.secret_env = {"KEY"};
  REQUIRE(bench.Apply(Assigned("web", 1, workload)));
  CHECK(bench.Diff("web", workload) == "");
  workload.replicas = 3;
  workload.env["KEY"] = "new-secret";
  const auto text = bench.Diff("web", workload).value();
  CHECK(text.find("- replicas: 1\n+ replicas: 3\n") != std::string::npos);
  CHECK(text.find("env/KEY") != std::string::npos);
  CHECK(text.find("-secret") == std::string::npos);
}
