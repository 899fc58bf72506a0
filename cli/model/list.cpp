// ote model list and show.
#include <fmt/format.h>

#include "cli/fl/show_run.h"
#include "cli/frame/link.h"
#include "cli/frame/names.h"
#include "cli/frame/output.h"
#include "cli/model/commands.h"
#include "core/base/units.h"

namespace ote::cli {
namespace {

struct ShowOptions {
  std::string model;
};

Result<Exit> List(Context& context) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(const api::ModelList list,
          link.Ask<api::ModelList>(api::verb::kModelList, api::Empty{}, context.Patience(kQuick)));
  const UnixMillis now = context.clock.WallNow();
  Table table({{"NAME"},
               {"KIND"},
               {"PARAMETERS", false, true},
               {"METRICS"},
               {"DIGEST"},
               {"MADE"},
               {"RUN", true},
               {"SIZE", true, true}});
  std::vector<Json> items;
  std::vector<std::string> names;
  for (const api::ModelEntry& m : list.items) {
    table.Add({m.name, std::string(NameOf(m.model.kind)), std::to_string(m.parameters), MetricsText(m.metrics),
               Short(m.digest), Ago(m.created_at, now), m.run, FormatSize(static_cast<std::uint64_t>(m.size))});
    items.push_back(ToJson(m));
    names.push_back(m.name);
  }
  CacheNames(context, "model", names);
  PrintList(context, items, table, names);
  return Exit::kDone;
}

Result<Exit> Show(Context& context, const ShowOptions& options) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(const api::ModelEntry m,
          link.Ask<api::ModelEntry>(api::verb::kModelShow, api::NameRequest{options.model}, context.Patience(kQuick)));
  std::vector<std::string> hidden;
  for (const std::int64_t units : m.model.hidden) hidden.push_back(std::to_string(units));
  const bool layers = m.model.kind == api::ModelKind::kMlp;
  PrintOne(context, ToJson(m),
           FactsText({{"name", m.name},
                      {"run", m.run},
                      {"kind", std::string(NameOf(m.model.kind))},
                      {"hidden", layers ? Join(hidden) : ""},
                      {"activation", layers ? std::string(NameOf(m.model.activation)) : ""},
                      {"task", std::string(NameOf(m.task))},
                      {"features", std::to_string(m.features)},
                      {"classes", Join(m.classes, ", ")},
                      {"parameters", std::to_string(m.parameters)},
                      {"size", FormatSize(static_cast<std::uint64_t>(m.size))},
                      {"metrics", MetricsText(m.metrics)},
                      {"digest", m.digest},
                      {"made", FormatTime(m.created_at)}}),
           m.name);
  return Exit::kDone;
}

}  // namespace

Command ListModelsCommand() {
  Command c("list", "list the models");
  c.About("The models of finished runs, with what was measured on the held-out rows of the clusters.");
  c.Example("ote model list", "for people");
  c.Example("ote model list -o json", "for a program");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([](Context& context) { return List(context); });
  return c;
}

Command ShowModelCommand() {
  auto options = std::make_shared<ShowOptions>();
  Command c("show", "print one model");
  c.About("What it is, what it takes and gives, which run made it, and its digest.");
  c.Argument("MODEL", options->model, "its name, run or digest").Completes(Names::kModel);
  c.Example("ote model show digits", "by name");
  c.Example("ote model show digits -o json", "for a program");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([options](Context& context) { return Show(context, *options); });
  return c;
}

}  // namespace ote::cli
