// ote app: apps on the clusters of the tree.
#pragma once

#include "cli/frame/command.h"

namespace ote::cli {

Command AppCommand();

Command DeployAppCommand();
Command PlanAppCommand();
Command DiffAppCommand();
Command ListAppsCommand();
Command ShowAppCommand();
Command AppStatusCommand();
Command AppLogsCommand();
Command RestartAppCommand();
Command RollbackAppCommand();
Command RemoveAppCommand();
// By files, cli/by_hand.
Command ExportAppCommand();
Command ImportAppCommand();

}  // namespace ote::cli
