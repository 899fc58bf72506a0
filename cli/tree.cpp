#include "cli/tree.h"

#include "cli/alone/commands.h"
#include "cli/app/commands.h"
#include "cli/bundle/commands.h"
#include "cli/cluster/commands.h"
#include "cli/context/commands.h"
#include "cli/data/commands.h"
#include "cli/fl/commands.h"
#include "cli/key/commands.h"
#include "cli/model/commands.h"
#include "cli/quickstart/commands.h"
#include "cli/trainer/commands.h"

namespace ote::cli {

Command MakeTree() {
  Command root("ote", "join edge clusters into one tree and train models across them");
  root.About(
      "ote enrols clusters over encrypted links with tokens, and trains one model on the data of many of them. The "
      "data stays where it is: what leaves a site are model updates, metrics and counts.");
  root.Example("ote cluster init hq --listen tcp://0.0.0.0:7440", "become a root");
  root.Example("ote fl run -f run.yaml", "train a model on the data of all clusters that have it");
  root.Add(QuickstartCommand());
  root.Add(ClusterCommand());
  root.Add(AppCommand());
  root.Add(DataCommand());
  root.Add(TrainerCommand());
  root.Add(FlCommand());
  root.Add(ModelCommand());
  root.Add(KeyCommand());
  root.Add(BundleCommand());
  root.Add(ContextCommand());
  root.Add(DoctorCommand());
  root.Add(ExplainCommand());
  root.Add(VersionCommand());
  root.Add(CompletionCommand());
  root.Add(HelpCommand());
  return root;
}

}  // namespace ote::cli
