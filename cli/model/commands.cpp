#include "cli/model/commands.h"

namespace ote::cli {

Command ModelCommand() {
  Command noun("model", "look at, export and use the models that runs made");
  noun.About(
      "A finished run leaves a model in the registry of the root, under the run's name. Wherever a model is asked "
      "for, its name, its run, its digest, or a .safetensors file will do.");
  noun.Example("ote model list", "which there are");
  noun.Example("ote model evaluate digits --data test.csv --label digit", "how good one is on other rows");
  noun.Add(ListModelsCommand());
  noun.Add(ShowModelCommand());
  noun.Add(ExportCommand());
  noun.Add(EvaluateCommand());
  noun.Add(PredictCommand());
  return noun;
}

}  // namespace ote::cli
