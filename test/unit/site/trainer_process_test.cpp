#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "core/base/descriptor.h"
#include "core/base/ids.h"
#include "core/site/trainers/logs.h"
#include "core/site/trainers/process.h"
#include "core/site/trainers/sandbox.h"

using namespace ote;
using namespace std::chrono_literals;
using site::ProcessEnd;

namespace {

struct Ran {
  Result<ProcessEnd> end;
  std::string said;
};
Ran Run(const std::string& script, std::chrono::milliseconds timeout = 20s, std::uint64_t memory = 0,
        const std::stop_token& stop = {}) {
  site::ProcessPlan plan;
  plan.argv = {"/bin/sh", "-c", script};
  plan.environment = {"PATH=/usr/bin:/bin", "OTE_TASK=here"};
  plan.folder = "/";
  plan.timeout = timeout;
  plan.memory = memory;
  std::string said;
  auto end = site::RunProcess(
      plan, [&said](std::string_view text) { said += text; }, stop);
  return {std::move(end), std::move(said)};
}

struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / NewId("ote-trainer");
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("a program's status and both of its streams come back") {
  const auto ran = Run("echo one; echo two >&2; cat; exit 3");
  REQUIRE(ran.end);
  CHECK(ran.end->how == ProcessEnd::How::kExited);
  CHECK(ran.end->number == 3);
  CHECK(ran.said == "one\ntwo\n");
}

TEST_CASE("a program that kills itself is told by its signal") {
  const auto ran = Run("kill -SEGV $$");
  REQUIRE(ran.end);
  CHECK(ran.end->how == ProcessEnd::How::kSignalled);
  CHECK(ran.end->number == SIGSEGV);
}

TEST_CASE("a program gets the environment of its plan, no open files, and default signals") {
  const auto ran =
      Run("env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD= | sort; ls /proc/self/fd | tr '\\n' ' '; "
          "grep -e SigBlk -e SigIgn /proc/self/status | tr -d '\\t'");
  REQUIRE(ran.end);
  CHECK(ran.said == "OTE_TASK=here\nPATH=/usr/bin:/bin\n0 1 2 3 SigBlk:0000000000000000\nSigIgn:0000000000000000\n");
}

TEST_CASE("a program that takes too long is killed with its children") {
  const auto begun = std::chrono::steady_clock::now();
  const auto ran = Run("sleep 1000 & echo $!; sleep 1000", 300ms);
  REQUIRE(ran.end);
  CHECK(ran.end->how == ProcessEnd::How::kTimedOut);
  CHECK(std::chrono::steady_clock::now() - begun < 10s);
  // The child was killed, too: it ends as soon as the kernel comes to it, or is gone already.
  const Descriptor child(static_cast<int>(syscall(SYS_pidfd_open, std::stoi(ran.said), 0)));
  if (child) {
    pollfd ended{child.get(), POLLIN, 0};
    CHECK(poll(&ended, 1, 10'000) == 1);
  }
}

TEST_CASE("a program that leaves children behind does not keep us waiting") {
  const auto begun = std::chrono::steady_clock::now();
  const auto ran = Run("sleep 1000 & exit 0");
  REQUIRE(ran.end);
  CHECK(ran.end->number == 0);
  CHECK(std::chrono::steady_clock::now() - begun < 10s);
}

TEST_CASE("a program is killed when it is no longer wanted") {
  std::stop_source stop;
  std::jthread later([&stop] { stop.request_stop(); });
  const auto ran = Run("sleep 1000", 20s, 0, stop.get_token());
  REQUIRE_FALSE(ran.end);
  CHECK(ran.end.error().id == ErrorId::kInterrupted);
}

TEST_CASE("a program that cannot be started says why") {
  site::ProcessPlan plan;
  plan.argv = {"/etc/passwd"};
  plan.folder = "/";
  plan.timeout = 5s;
  const auto none = site::RunProcess(plan, [](std::string_view) {}, {});
  REQUIRE_FALSE(none);
  CHECK(none.error().message.find("Permission denied") != std::string::npos);
  plan.argv = {"/bin/true"};
  plan.folder = "/no/such/folder";
  CHECK_FALSE(site::RunProcess(plan, [](std::string_view) {}, {}));
}

TEST_CASE("a program has no more private memory than its limit") {
  const std::string take = "head -c 64M /dev/zero | tail -c 64M | wc -c";
  CHECK(Run(take).said == "67108864\n");
  CHECK(Run(take, 20s, 16 << 20).said != "67108864\n");
}

TEST_CASE("a program is found by its whole path or in the system's folders") {
  CHECK(site::FindProgram("/bin/sh") == "/bin/sh");
  CHECK(site::FindProgram("sh").ends_with("/sh"));
  CHECK(site::FindProgram("./sh").empty());
  CHECK(site::FindProgram("/etc/passwd").empty());
  CHECK(site::FindProgram("/usr").empty());
  CHECK(site::FindProgram("no-such-program").empty());
}

TEST_CASE("the sandbox shows the folders of the command, hides the state, and has the task to write") {
  Folder folder;
  std::filesystem::create_directories(folder.path / "venv/bin");
  std::filesystem::create_directories(folder.path / "own");
  std::ofstream(folder.path / "venv/bin/python") << "";
  std::ofstream(folder.path / "own/train.py") << "";
  api::Trainer trainer;
  trainer.read = {"/srv/models"};
  const auto venv = (folder.path / "venv").string();
  const std::vector<std::string> named = {venv + "/bin/python", (folder.path / "own/train.py").string(), "/etc/passwd"};
  const auto words =
      site::InSandbox("/usr/bin/bwrap", trainer, {"/var/ote", "/var/ote/trainers/work/r-1", {"/data/a.csv"}}, named,
                      {named[0], named[1], "/data/a.csv"});
  std::string line;
  for (const auto& word : words) line += word + " ";
  const auto has = [&line](const std::string& part) { return line.find(part + " ") != std::string::npos; };
  CHECK(has("--unshare-all --die-with-parent --new-session --cap-drop ALL"));
  CHECK(has("--ro-bind-try " + venv + " " + venv));
  const auto own = (folder.path / "own").string();
  CHECK(has("--ro-bind-try " + own + " " + own));
  CHECK(has("--ro-bind-try /srv/models /srv/models"));
  CHECK(has("--ro-bind-try /etc/passwd /etc/passwd"));
  CHECK_FALSE(has("--ro-bind-try /etc /etc"));
  CHECK_FALSE(has("--ro-bind-try /data /data"));
  const auto hidden = line.find("--tmpfs /var/ote ");
  const auto data = line.find("--ro-bind-try /data/a.csv /data/a.csv ");
  const auto task = line.find("--bind /var/ote/trainers/work/r-1 ");
  CHECK(line.find("--ro-bind-try /srv/models") < hidden);
  CHECK(hidden < data);
  CHECK(data < task);
  CHECK(task < line.find("--remount-ro /var/ote --remount-ro / "));
}

TEST_CASE("a log keeps the newest of what was printed, within its bound") {
  Folder folder;
  {
    site::TrainerLog log(folder.path, "run-1", {});
    for (int i = 0; i < 100'000; ++i) log.Write("line " + std::to_string(i) + " of very many\n");
    log.Write("\xff at the end");
    log.Note("--- done");
    CHECK(log.Tail(2, 600) == "line 99999 of very many | ? at the end");
  }
  std::uintmax_t size = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder.path)) size += file.file_size();
  CHECK(size <= 2 * site::kLogPart);
  CHECK(size > site::kLogPart);
  const auto tail = site::ReadTrainerLog(folder.path, "run-1", 64);
  REQUIRE(tail);
  CHECK(tail->cut);
  CHECK(tail->text.ends_with("\n? at the end\n--- done\n"));
  CHECK(tail->text.size() <= 64);
  CHECK(site::ReadTrainerLog(folder.path, "run-2", 64).error().id == ErrorId::kTrainerLogMissing);
  CHECK(site::DatasetOfLog(folder.path, "run-1")->name.empty());
  CHECK(site::DatasetOfLog(folder.path, "run-2").error().id == ErrorId::kTrainerLogMissing);
  CHECK(site::ReadTrainerLog(folder.path, "../run-1", 64).error().id == ErrorId::kMalformed);
}

TEST_CASE("logs of runs long ago make room for new ones") {
  Folder folder;
  for (std::size_t i = 0; i < site::kLogRuns + 8; ++i) {
    site::TrainerLog(folder.path, "run-" + std::to_string(i), {}).Write("x");
  }
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 2 * site::kLogRuns);
  CHECK(site::ReadTrainerLog(folder.path, "run-" + std::to_string(site::kLogRuns + 7), 64));
}
