#include "cli/daemon/launch.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <thread>

#include "cli/daemon/process.h"
#include "cli/frame/link.h"
#include "core/base/files.h"
#include "core/base/units.h"

namespace ote::cli {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
constexpr milliseconds kPoll{20};
constexpr milliseconds kAnswerWait{1'000};
constexpr milliseconds kSystemctlWait{10'000};

bool IsProgram(const fs::path& path) { return ::access(path.c_str(), X_OK) == 0 && !fs::is_directory(path); }

// "ote-agent@var-lib-ote.service" when this folder's agent belongs to systemd, "" otherwise.
std::string SystemdUnit(const Context& context, const store::StateFolder& folder) {
  std::error_code ignored;
  if (context.uid != 0 || !fs::exists("/run/systemd/system", ignored)) return {};
  const auto known = RunQuietly({"systemctl", "cat", "ote-agent@.service"}, nullptr, kSystemctlWait);
  if (!known || *known != 0) return {};
  std::string unit;
  const auto escaped = RunQuietly({"systemd-escape", "--path", "--template=ote-agent@.service", folder.path.string()},
                                  &unit, kSystemctlWait);
  if (!escaped || *escaped != 0) return {};
  while (!unit.empty() && unit.back() == '\n') unit.pop_back();
  return unit;
}

// The last lines of the log, in one line, for an agent that died without a word.
std::string LastWords(const fs::path& log) {
  auto text = ReadTextFile(log);
  if (!text) return {};
  std::vector<std::string> lines;
  std::istringstream stream(*text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines.empty() ? std::string() : lines.back();
}

// What the agent wrote: "ready", or "error {json}".
Result<void> ReadVerdict(const std::string& said, const store::StateFolder& folder) {
  const std::string line = said.substr(0, said.find('\n'));
  if (line == "ready") return {};
  const std::string log_hint = "see " + folder.LogFile().string();
  if (line.starts_with("error ")) {
    if (auto json = ParseJson(line.substr(6)); json && json->is_object()) {
      const auto text = [&](const char* field) {
        const auto at = json->find(field);
        if (at == json->end()) return std::string();
        return at->is_string() ? at->get<std::string>() : at->dump();
      };
      const ErrorInfo* info = FindError(text("code"));
      const std::string hint = text("hint");
      return Fail(Error{info != nullptr ? info->id : ErrorId::kAgentStart,
                        "the agent did not start: " + text("message"), hint.empty() ? log_hint : hint});
    }
  }
  const std::string words = LastWords(folder.LogFile());
  return Fail(ErrorId::kAgentStart, "the agent ended before it was ready" + (words.empty() ? "" : ": " + words),
              log_hint);
}

enum class Gone { kWait, kTell };  // what to do about a folder that no agent holds

// Until the agent answers on its socket: true. False when no agent holds the folder, and that is to be told.
Result<bool> AwaitAnswer(const store::StateFolder& folder, milliseconds patience, Gone gone) {
  const SystemClock clock;
  const milliseconds end = clock.SteadyNow() + patience;
  while (clock.SteadyNow() < end) {
    if (store::FolderLock::Held(folder)) {
      // Not for long: one that was killed holds the lock until the last of its threads is gone, and answers nobody.
      const auto rest = std::max(end - clock.SteadyNow(), milliseconds(1));
      auto link = AgentLink::OpenAt(folder.path, std::min(rest, kAnswerWait));
      if (link) return true;
      if (link.error().id != ErrorId::kUnreachable) return Fail(std::move(link).error());
    } else if (gone == Gone::kTell) {
      return false;
    }
    std::this_thread::sleep_for(kPoll);
  }
  return Fail(ErrorId::kAgentStart, "the agent is not ready after " + FormatDuration(patience),
              "see " + folder.LogFile().string());
}

bool AwaitFree(const store::StateFolder& folder, milliseconds patience) {
  const SystemClock clock;
  const milliseconds end = clock.SteadyNow() + patience;
  while (store::FolderLock::Held(folder)) {
    if (clock.SteadyNow() >= end) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

}  // namespace

Result<fs::path> FindAgent(const Context& context) {
  if (!context.program.empty()) {
    const fs::path beside = context.program.parent_path() / "ote-agent";
    if (IsProgram(beside)) return beside;
  }
  std::istringstream folders(context.Env("PATH"));
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (folder.empty() || folder[0] != '/') continue;
    const fs::path path = fs::path(folder) / "ote-agent";
    if (IsProgram(path)) return path;
  }
  return Fail(ErrorId::kNotFound, "ote-agent: neither beside ote nor in PATH", "install both programs into one folder");
}

Result<Launched> LaunchAgent(const Context& context, const store::StateFolder& folder, milliseconds patience) {
  if (store::FolderLock::Held(folder)) {
    // It may have been started a moment ago by another command, or be about to end.
    OTE_TRY(const bool answers, AwaitAnswer(folder, patience, Gone::kTell));
    if (answers) return Launched::kRunsAlready;
  }
  if (const std::string unit = SystemdUnit(context, folder); !unit.empty()) {
    OTE_TRY(const int status, RunQuietly({"systemctl", "start", unit}, nullptr, patience));
    if (status != 0) {
      return Fail(ErrorId::kAgentStart, fmt::format("systemctl start {}: exit status {}", unit, status),
                  "journalctl -u " + unit);
    }
    OTE_CHECK(AwaitAnswer(folder, patience, Gone::kWait));
    return Launched::kStarted;
  }
  DetachedProcess process;
  OTE_TRY(process.program, FindAgent(context));
  process.arguments = {"--state", folder.path.string()};
  process.log = folder.LogFile();
  process.drop_variables = {"OTE_TOKEN"};
  auto said = StartDetached(process, patience);
  if (!said) {
    if (said.error().id != ErrorId::kTimedOut) return Fail(std::move(said).error());
    return Fail(ErrorId::kAgentStart, "the agent is not ready after " + FormatDuration(patience),
                "see " + folder.LogFile().string());
  }
  OTE_CHECK(ReadVerdict(*said, folder));
  return Launched::kStarted;
}

std::optional<int> AgentPid(const store::StateFolder& folder) {
  if (!store::FolderLock::Held(folder)) return std::nullopt;
  auto text = ReadTextFile(folder.PidFile(), 64);
  if (!text) return std::nullopt;
  int pid = 0;
  const auto [end, code] = std::from_chars(text->data(), text->data() + text->size(), pid);
  return code == std::errc() && pid > 1 ? std::optional<int>(pid) : std::nullopt;
}

Result<bool> StopAgent(const Context& context, const store::StateFolder& folder, milliseconds patience, bool force) {
  if (!store::FolderLock::Held(folder)) return false;
  if (const std::string unit = SystemdUnit(context, folder); !unit.empty()) {
    const auto status = RunQuietly({"systemctl", "stop", unit}, nullptr, patience);
    if (status && *status == 0 && AwaitFree(folder, milliseconds(500))) return true;
  }
  const auto pid = AgentPid(folder);
  if (!pid) {
    return Fail(ErrorId::kFailed,
                fmt::format("{}: an agent runs, but agent.pid does not tell which", folder.path.string()));
  }
  if (::kill(*pid, SIGTERM) != 0) {
    return Fail(ErrorId::kPermission, fmt::format("agent {}: it may not be stopped by this user", *pid));
  }
  if (AwaitFree(folder, force ? patience / 2 : patience)) return true;
  // Only while it still holds the lock: the number may be another process's by now.
  if (force && AgentPid(folder) == pid) {
    ::kill(*pid, SIGKILL);
    if (AwaitFree(folder, patience / 2)) return true;
  }
  return Fail(ErrorId::kTimedOut, fmt::format("agent {}: still running after {}", *pid, FormatDuration(patience)),
              "ote cluster stop --force --state " + folder.path.string());
}

}  // namespace ote::cli
