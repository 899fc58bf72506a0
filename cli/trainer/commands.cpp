#include "cli/trainer/commands.h"

#include "cli/frame/output.h"
#include "core/api/requests.h"

namespace ote::cli {

std::string TrainerText(const api::Trainer& t) {
  std::string env;
  for (const auto& [name, value] : t.env) env += (env.empty() ? "" : " ") + name + "=" + value;
  return FactsText({{"name", t.name},
                    {"command", t.command},
                    {"data", t.datasets.empty() ? "all that have none of their own" : Join(t.datasets, ", ")},
                    {"time limit", t.time_limit},
                    {"memory", t.memory == "0" ? "no limit" : t.memory},
                    {"sandbox", std::string(NameOf(t.sandbox))},
                    {"runs in", t.runs_in},
                    {"reads", Join(t.read, ", ")},
                    {"variables", env},
                    {"registered", t.registered_at == 0 ? "" : FormatTime(t.registered_at)}});
}

Result<std::vector<api::Trainer>> FetchTrainers(const Context& context, AgentLink& link) {
  OTE_TRY(api::TrainerList list,
          link.Ask<api::TrainerList>(api::verb::kTrainerList, api::Empty{}, context.Patience(kQuick)));
  return std::move(list.items);
}

Command TrainerCommand() {
  Command noun("trainer", "register a site's own program to train with");
  noun.About(
      "A run whose file says trainer: exec is trained at each site by a command that the site's operator registered, "
      "such as a PyTorch script; with trainer: any the sites that have one use it, and the others the built-in "
      "training. Who starts a run never says what is run at a site. The command gets a folder with the model, the "
      "rows to train on and a description of the task, and leaves the trained weights; see ote-agent(8).");
  noun.Example("ote trainer add torch --command '/usr/bin/python3 /opt/fl/train.py'", "at the site");
  noun.Example("ote trainer list", "which there are");
  noun.Add(AddTrainerCommand());
  noun.Add(ListTrainersCommand());
  noun.Add(ShowTrainerCommand());
  noun.Add(RemoveTrainerCommand());
  return noun;
}

}  // namespace ote::cli
