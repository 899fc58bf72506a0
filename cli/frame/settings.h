// Where things are: the folders of this user, the contexts, and which state folder a command speaks about.
//
// flag > OTE_* variable > context in config.yaml > default. OTE_HOME moves everything under one folder; root (uid 0)
// has /etc/ote and /var/lib/ote, other users the XDG folders.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "cli/frame/context.h"
#include "core/base/codec.h"

namespace ote::cli {

std::filesystem::path ConfigFile(const Context& context);
std::filesystem::path CacheFolder(const Context& context);
std::filesystem::path DefaultState(const Context& context);

// One of the two.
struct ContextEntry {
  std::string state;
  std::string credential;  // a file that ote key create wrote

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("state", self.state);
    v("credential", self.credential);
  }
};
// config.yaml
struct Config {
  std::string current;
  std::map<std::string, ContextEntry> contexts;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("current", self.current);
    v("contexts", self.contexts);
  }
};
// An empty one when there is no file.
Result<Config> LoadConfig(const Context& context);
Result<void> SaveConfig(const Context& context, const Config& config);

// The agent that this command speaks to, and where that was said: a state folder, or a credential for an agent that may
// be elsewhere. Paths are absolute.
struct ChosenState {
  std::filesystem::path path;        // "" when it is a credential
  std::string origin;                // "flag --state", "OTE_STATE", "context hq (config.yaml)", "default"
  std::string context;               // its name, when a context said it
  std::filesystem::path credential;  // "" when it is a state folder
};
// kNotFound for a context that is not there; kUsage for --state and --credential together.
Result<ChosenState> ChooseAgent(const Context& context);
// The same for commands that need the folder itself: OTE_CREDENTIAL says nothing to them, and --credential, or a
// context that is one, is kUsage.
Result<ChosenState> ChooseState(const Context& context);

// Gives a state folder a name in config.yaml, and makes it the current context when there is none. Leaves a name that
// stands for another folder with a membership as it is; returns whether the name is now the folder's.
Result<bool> RememberContext(Context& context, const std::string& name, const std::filesystem::path& state);

}  // namespace ote::cli
