#include "cli/model/commands.h"

namespace ote::cli {

Command ModelCommand() {
  Command noun("model", "keep, look at, exchange and use models");
  noun.About(
      "The registry of the root holds versions of models, each a file by its digest. A finished run adds one under the "
      "run's name, ote model import one from a file. Wherever a model is asked for, NAME means its newest version, "
      "NAME@3 version 3, NAME@production the version with that tag; the run that made it, its digest or the beginning "
      "of that will do as well.");
  noun.Example("ote model list", "which there are");
  noun.Example("ote model evaluate digits --data test.csv --label digit", "how good one is on other rows");
  noun.Add(ListModelsCommand());
  noun.Add(ShowModelCommand());
  noun.Add(TagModelCommand());
  noun.Add(DiffModelsCommand());
  noun.Add(RemoveModelCommand());
  noun.Add(ImportCommand());
  noun.Add(ExportCommand());
  noun.Add(EvaluateCommand());
  noun.Add(PredictCommand());
  noun.Add(KindsCommand());
  return noun;
}

}  // namespace ote::cli
