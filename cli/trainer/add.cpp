// ote trainer add: register a command at its site.
#include <fmt/format.h>

#include <chrono>

#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/trainer/commands.h"
#include "core/api/requests.h"
#include "core/base/units.h"

namespace ote::cli {
namespace {

struct AddOptions {
  api::Trainer trainer;
  std::chrono::milliseconds time_limit = std::chrono::minutes(10);
  std::vector<std::string> read;
  std::vector<std::string> env;
  bool replace = false;
};

// A list flag is parted at commas; what has no = is the rest of the value before it: GPUS=0,1.
Result<std::map<std::string, std::string>> Variables(const std::vector<std::string>& parts) {
  std::map<std::string, std::string> variables;
  std::string* last = nullptr;
  for (const std::string& part : parts) {
    const auto equals = part.find('=');
    if (equals == std::string::npos) {
      if (last == nullptr) return Fail(ErrorId::kUsage, fmt::format("--env {}: not of the form NAME=VALUE", part));
      *last += "," + part;
      continue;
    }
    last = &(variables[part.substr(0, equals)] = part.substr(equals + 1));
  }
  return variables;
}

Result<Exit> Add(Context& context, const AddOptions& options) {
  auto trainer = options.trainer;
  trainer.time_limit = FormatDuration(options.time_limit);
  for (const auto& path : options.read) trainer.read.push_back(context.Absolute(path).string());
  OTE_TRY(trainer.env, Variables(options.env));
  OTE_CHECK(api::Validate(trainer));
  if (context.flags.dry_run) {
    Say(context, fmt::format("trainer {}: would be registered", trainer.name));
    PrintOne(context, ToJson(trainer), TrainerText(trainer), trainer.name);
    return Exit::kDone;
  }
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(trainer, link.Ask<api::Trainer>(api::verb::kTrainerAdd, api::TrainerAddRequest{trainer, options.replace},
                                          context.Patience(std::chrono::seconds(30))));
  Say(context, fmt::format("trainer {}: registered at {}", trainer.name, link.Member().name));
  if (trainer.sandbox == api::Sandbox::kAuto && trainer.runs_in != "bubblewrap") {
    Warn(context,
         fmt::format("trainer {}: it will run with all rights of the agent's user, {}", trainer.name, trainer.runs_in));
  }
  PrintOne(context, ToJson(trainer), TrainerText(trainer), trainer.name);
  return Exit::kDone;
}

}  // namespace

Command AddTrainerCommand() {
  auto options = std::make_shared<AddOptions>();
  Command c("add", "register a command that trains at this site");
  c.About(
      "The words of the command are parted by blanks, with quotes and backslashes as in a shell, but no shell runs "
      "them. {task}, {model}, {data}, {labels}, {features}, {targets}, {output} and {folder} in them become paths, "
      "which stand in the variables OTE_TASK, OTE_MODEL and so on, too. The program is found by its whole path or in "
      "the system's folders. One trainer without --dataset is for all data sets that have none of their own; two for "
      "the same are refused.");
  c.Argument("NAME", options->trainer.name, "what it is called in logs and in the results of runs");
  c.Option("--command", "WORDS", options->trainer.command, "the program and its arguments").Required();
  c.Option("--dataset", "NAMES", options->trainer.datasets, "only for these data sets").Completes(Names::kDataset);
  c.Option("--time-limit", "DURATION", options->time_limit, "of one round; past it the command is killed");
  c.Option("--memory", "SIZE", options->trainer.memory,
           "private memory that each of its processes may have; 0 for no limit");
  c.Option("--sandbox", "WHEN", options->trainer.sandbox,
           "bubblewrap where it can be had, or never without it, or never with it");
  c.Option("--read", "PATHS", options->read, "what it may read in the sandbox, beside the system and its own folder")
      .Completes(Names::kFile);
  c.Option("--env", "NAME=VALUE", options->env, "a variable of its environment, which is small otherwise");
  c.Switch("--replace", options->replace, "take the place of a trainer of the same name");
  c.Example("ote trainer add torch --command '/usr/bin/python3 /opt/fl/train.py'", "for all data sets");
  c.Example(
      "ote trainer add scans --command '/opt/fl/venv/bin/python /opt/fl/scans.py' --dataset scans --time-limit 2h",
      "for one of them, with the packages of a virtual environment");
  c.Exits({Exit::kFailed, Exit::kUnreachable, Exit::kConflict, Exit::kNotFound, Exit::kRefused});
  c.Changes();
  c.Does([options](Context& context) { return Add(context, *options); });
  return c;
}

}  // namespace ote::cli
