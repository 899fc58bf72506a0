// ote trainer list.
#include "cli/frame/names.h"
#include "cli/frame/output.h"
#include "cli/trainer/commands.h"

namespace ote::cli {
namespace {

Result<Exit> List(Context& context) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(const auto trainers, FetchTrainers(context, link));
  Table table({{"NAME"}, {"DATA"}, {"TIME LIMIT", false, true}, {"MEMORY", false, true}, {"RUNS IN"}, {"COMMAND"}});
  std::vector<Json> items;
  std::vector<std::string> names;
  for (const api::Trainer& t : trainers) {
    table.Add({t.name, t.datasets.empty() ? "*" : Join(t.datasets), t.time_limit, t.memory == "0" ? "-" : t.memory,
               t.runs_in, t.command});
    items.push_back(ToJson(t));
    names.push_back(t.name);
  }
  CacheNames(context, "trainer", names);
  PrintList(context, items, table, names);
  return Exit::kDone;
}

}  // namespace

Command ListTrainersCommand() {
  Command c("list", "list the trainers of this site");
  c.About(
      "RUNS IN tells whether their processes are held by a sandbox, and why not where they are not. DATA is * for the "
      "one that is for all data sets that have none of their own.");
  c.Example("ote trainer list", "for people");
  c.Example("ote trainer list -o json", "for a program");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([](Context& context) { return List(context); });
  return c;
}

}  // namespace ote::cli
