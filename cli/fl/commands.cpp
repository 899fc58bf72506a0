#include "cli/fl/commands.h"

namespace ote::cli {

Command FlCommand() {
  Command noun("fl", "train one model on the data of many clusters");
  noun.About(
      "A run trains a model over several rounds: in each, the clusters that take part train it on their own rows and "
      "send back what changed, and the root adds that up. A run goes on when the command that started it ends, and "
      "after a restart of any of the agents.");
  noun.Example("ote fl run -f run.yaml", "start one, and wait for it");
  noun.Example("ote fl list", "which there are");
  noun.Add(RunCommandOfFl());
  noun.Add(SimulateCommand());
  noun.Add(ListRunsCommand());
  noun.Add(ShowRunCommand());
  noun.Add(LogsCommand());
  noun.Add(WatchCommand());
  noun.Add(CancelCommand());
  noun.Add(StrategiesCommand());
  noun.Add(ReportCommand());
  noun.Add(CompareCommand());
  noun.Add(MetricsCommand());
  noun.Add(VerifyCommand());
  noun.Add(RemoveRunCommand());
  noun.Add(ExportTaskCommand());
  noun.Add(TrainTaskCommand());
  noun.Add(ImportUpdateCommand());
  return noun;
}

}  // namespace ote::cli
