#include "cli/frame/settings.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <thread>

#include "core/base/files.h"
#include "core/base/ids.h"

namespace ote::cli {
namespace {

namespace fs = std::filesystem;

// `variable`/ote, or `otherwise` under the home folder.
fs::path Xdg(const Context& context, const std::string& variable, const std::string& otherwise) {
  const std::string set = context.Env(variable);
  if (!set.empty() && set[0] == '/') return fs::path(set) / "ote";
  return fs::path(context.Env("HOME").empty() ? "/tmp" : context.Env("HOME")) / otherwise / "ote";
}

// Keeps two commands from changing config.yaml at a time. Best effort, for two seconds: a lock that is not to be had
// does not keep anybody from their work.
class FileLock {
 public:
  explicit FileLock(const fs::path& path) : fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    for (int i = 0; fd_ >= 0 && i < 100 && ::flock(fd_, LOCK_EX | LOCK_NB) != 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  ~FileLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_;
};

}  // namespace

fs::path ConfigFile(const Context& context) {
  if (const std::string home = context.Env("OTE_HOME"); !home.empty()) return context.Absolute(home) / "config.yaml";
  if (context.uid == 0) return "/etc/ote/config.yaml";
  return Xdg(context, "XDG_CONFIG_HOME", ".config") / "config.yaml";
}

fs::path CacheFolder(const Context& context) {
  if (const std::string home = context.Env("OTE_HOME"); !home.empty()) return context.Absolute(home) / "cache";
  return Xdg(context, "XDG_CACHE_HOME", ".cache");
}

fs::path DefaultState(const Context& context) {
  if (const std::string home = context.Env("OTE_HOME"); !home.empty()) return context.Absolute(home) / "state";
  if (context.uid == 0) return "/var/lib/ote";
  return Xdg(context, "XDG_STATE_HOME", ".local/state");
}

Result<Config> LoadConfig(const Context& context) {
  const fs::path file = ConfigFile(context);
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return Config{};
  OTE_TRY(const std::string text, ReadTextFile(file, 1 << 20));
  if (text.empty()) return Config{};
  return FromYaml<Config>(text, file.string());
}

Result<void> SaveConfig(const Context& context, const Config& config) {
  const fs::path file = ConfigFile(context);
  OTE_CHECK(MakeFolder(file.parent_path()));
  return WriteFileAtomic(file, AsBytes(DumpYaml(ToJson(config))));
}

namespace {

enum class Wanted { kAgent, kFolder };

Result<ChosenState> FromContext(const Context& context, std::string name, std::string origin, Wanted wanted) {
  OTE_TRY(const Config config, LoadConfig(context));
  if (name.empty()) {
    name = config.current;
    origin = "config.yaml";
  }
  if (name.empty()) return ChosenState{DefaultState(context), "default", "", ""};
  const auto found = config.contexts.find(name);
  if (found == config.contexts.end()) {
    std::vector<std::string_view> known;
    for (const auto& [key, entry] : config.contexts) known.push_back(key);
    const std::string_view near = Nearest(name, known);
    return Fail(ErrorId::kNotFound,
                fmt::format("context {}: not in {}{}", name, ConfigFile(context).string(),
                            near.empty() ? "" : fmt::format("; did you mean {}?", near)),
                "ote context list");
  }
  const auto& entry = found->second;
  if (entry.state.empty() == entry.credential.empty()) {
    return Fail(ErrorId::kInputBadValue, fmt::format("context {}: either state or credential is to be set in {}", name,
                                                     ConfigFile(context).string()));
  }
  if (wanted == Wanted::kFolder && entry.state.empty()) {
    return Fail(ErrorId::kUsage,
                fmt::format("context {}: is a credential, and this needs the state folder of an agent here", name),
                "give --state DIR");
  }
  return ChosenState{entry.state, fmt::format("context {} ({})", name, origin), name, entry.credential};
}

Result<ChosenState> Choose(const Context& context, Wanted wanted) {
  const auto& flags = context.flags;
  if (!flags.credential.empty()) {
    if (!flags.state.empty()) return Fail(ErrorId::kUsage, "--state and --credential: one of the two");
    if (wanted == Wanted::kFolder) {
      return Fail(ErrorId::kUsage, "--credential: this needs the state folder of an agent on this machine",
                  "give --state DIR");
    }
    return ChosenState{"", "flag --credential", "", context.Absolute(flags.credential)};
  }
  if (!flags.state.empty()) return ChosenState{context.Absolute(flags.state), "flag --state", "", ""};
  if (!flags.context.empty()) return FromContext(context, flags.context, "flag --context", wanted);
  if (const std::string state = context.Env("OTE_STATE"); !state.empty())
    return ChosenState{context.Absolute(state), "OTE_STATE", "", ""};
  if (const std::string file = context.Env("OTE_CREDENTIAL"); !file.empty() && wanted == Wanted::kAgent)
    return ChosenState{"", "OTE_CREDENTIAL", "", context.Absolute(file)};
  return FromContext(context, context.Env("OTE_CONTEXT"), "OTE_CONTEXT", wanted);
}

}  // namespace

Result<ChosenState> ChooseAgent(const Context& context) { return Choose(context, Wanted::kAgent); }
Result<ChosenState> ChooseState(const Context& context) { return Choose(context, Wanted::kFolder); }

Result<bool> RememberContext(Context& context, const std::string& name, const fs::path& state) {
  const fs::path file = ConfigFile(context);
  OTE_CHECK(MakeFolder(file.parent_path()));
  const FileLock lock(file.parent_path() / "config.lock");
  OTE_TRY(Config config, LoadConfig(context));
  std::error_code ignored;
  const auto found = config.contexts.find(name);
  if (found != config.contexts.end() && !found->second.credential.empty()) return false;
  if (found != config.contexts.end() && found->second.state != state.string() &&
      fs::exists(fs::path(found->second.state) / "member.json", ignored)) {
    return false;
  }
  const bool same = found != config.contexts.end() && found->second.state == state.string() && !config.current.empty();
  if (same) return true;
  config.contexts[name].state = state.string();
  if (config.current.empty()) config.current = name;
  OTE_CHECK(SaveConfig(context, config));
  return true;
}

}  // namespace ote::cli
