#include "cli/app/commands.h"

#include "cli/app/templates.h"

namespace ote::cli {

Command AppCommand() {
  Command noun("app", "run apps on the clusters of the tree");
  noun.About(
      "An app is a command, an image or Kubernetes manifests, and where it goes: ote-app(5). It is deployed by one "
      "command from any agent, to the clusters below it, in waves; each deployment is a revision that can be returned "
      "to. A cluster keeps what is wanted of it, and goes on by itself when its line is cut. At the agent of a cluster "
      "the same verbs steer what a tier above deployed there, as FROM/APP. To a cluster that no line reaches, apps are "
      "carried by files: ote app export and import.");
  noun.Example("ote app deploy -f app.yaml --selector region=eu", "to all clusters of a region");
  noun.Example("ote app list", "what is deployed, and how it is");
  noun.Add(AppInitCommand());
  noun.Add(AppTemplatesCommand());
  noun.Add(DeployAppCommand());
  noun.Add(ListAppsCommand());
  noun.Add(ShowAppCommand());
  noun.Add(AppStatusCommand());
  noun.Add(PlanAppCommand());
  noun.Add(DiffAppCommand());
  noun.Add(AppLogsCommand());
  noun.Add(RestartAppCommand());
  noun.Add(RollbackAppCommand());
  noun.Add(RemoveAppCommand());
  noun.Add(ExportAppCommand());
  noun.Add(ImportAppCommand());
  return noun;
}

}  // namespace ote::cli
