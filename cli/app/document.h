// The app file as a command is given it, with the flags that say where the app goes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/frame/command.h"
#include "cli/frame/link.h"
#include "core/api/app_file.h"

namespace ote::cli {

struct AppFlags {
  std::filesystem::path file;  // "-" for standard input
  std::string name;
  std::string selector;
  std::vector<std::string> clusters;
  bool all = false;
};
void AddAppFlags(Command& command, AppFlags& flags, bool file_required = true);
// Reads the file, what it names beside it, and the flags, which take the place of the file's own placement.
Result<api::AppDocument> ReadApp(Context& context, const AppFlags& flags);
// Puts the files of an app at the agent.
Result<void> Upload(Context& context, AgentLink& link, const api::AppDocument& document);

}  // namespace ote::cli
