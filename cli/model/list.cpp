// ote model list and show.
#include <fmt/format.h>

#include "cli/fl/show_run.h"
#include "cli/frame/link.h"
#include "cli/frame/names.h"
#include "cli/frame/output.h"
#include "cli/model/commands.h"
#include "core/base/units.h"
#include "core/learn/model.h"

namespace ote::cli {
namespace {

struct ListOptions {
  std::string name;
  bool all = false;
};

struct ShowOptions {
  std::string model;
};

Result<Exit> List(Context& context, const ListOptions& options) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  const api::ModelListRequest request{options.all, options.name};
  OTE_TRY(const api::ModelList list,
          link.Ask<api::ModelList>(api::verb::kModelList, request, context.Patience(kQuick)));
  const UnixMillis now = context.clock.WallNow();
  Table table({{"NAME"},
               {"VERSION", false, true},
               {"TAGS"},
               {"KIND"},
               {"PARAMETERS", false, true},
               {"METRICS"},
               {"DIGEST"},
               {"MADE"},
               {"SOURCE", true},
               {"RUN", true},
               {"SIZE", true, true}});
  std::vector<Json> items;
  std::vector<std::string> names;
  std::vector<std::string> known;  // for completions
  for (const api::ModelEntry& m : list.items) {
    table.Add({m.name, std::to_string(m.version), Join(m.tags), std::string(NameOf(m.model.kind)),
               std::to_string(m.parameters), MetricsText(m.metrics), Short(m.digest), Ago(m.created_at, now),
               std::string(NameOf(m.source)), m.run, FormatSize(static_cast<std::uint64_t>(m.size))});
    items.push_back(ToJson(m));
    names.push_back(options.all ? m.Key() : m.name);
    known.push_back(names.back());
    for (const std::string& tag : m.tags) known.push_back(m.name + "@" + tag);
  }
  if (options.name.empty()) CacheNames(context, "model", known);
  PrintList(context, items, table, names);
  return Exit::kDone;
}

// The tensors of the model's file, in their order.
Result<learn::Layout> LayoutOf(const api::ModelEntry& m) {
  const std::int64_t outputs =
      m.task == api::DataTask::kClassification ? static_cast<std::int64_t>(m.classes.size()) : 1;
  OTE_TRY(const auto model, learn::MakeModel(m.model, {m.features, outputs}, m.task));
  return model->GetLayout();
}

std::string ShapeText(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t extent : shape) text += fmt::format("{}{}", text.empty() ? "" : "x", extent);
  return text;
}

std::string PreparationText(const api::Preparation& preparation) {
  if (preparation.columns.empty()) return {};
  return fmt::format("{} columns", preparation.columns.size());
}

Result<Exit> Show(Context& context, const ShowOptions& options) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(const api::ModelEntry m,
          link.Ask<api::ModelEntry>(api::verb::kModelShow, api::NameRequest{options.model}, context.Patience(kQuick)));
  std::vector<std::string> hidden;
  for (const std::int64_t units : m.model.hidden) hidden.push_back(std::to_string(units));
  const bool layers = m.model.kind == api::ModelKind::kMlp;
  std::string text = FactsText({{"name", m.name},
                                {"version", std::to_string(m.version)},
                                {"tags", Join(m.tags, ", ")},
                                {"kind", std::string(NameOf(m.model.kind))},
                                {"hidden", layers ? Join(hidden) : ""},
                                {"activation", layers ? std::string(NameOf(m.model.activation)) : ""},
                                {"task", std::string(NameOf(m.task))},
                                {"features", std::to_string(m.features)},
                                {"classes", Join(m.classes, ", ")},
                                {"prepared", PreparationText(m.preparation)},
                                {"parameters", std::to_string(m.parameters)},
                                {"size", FormatSize(static_cast<std::uint64_t>(m.size))},
                                {"metrics", MetricsText(m.metrics)},
                                {"digest", m.digest},
                                {"source", std::string(NameOf(m.source))},
                                {"run", m.run},
                                {"round", m.round > 0 ? std::to_string(m.round) : ""},
                                {"clusters", Join(m.participants, ", ")},
                                {"spec", m.spec_digest},
                                {"parent", m.parent},
                                {"ote", m.ote_version},
                                {"made", FormatTime(m.created_at)}});
  Json json = ToJson(m);
  // A kind that this ote does not know has tensors that it cannot name.
  if (const auto layout = LayoutOf(m)) {
    Table table({{"TENSOR"}, {"SHAPE"}, {"PARAMETERS", false, true}});
    json["tensors"] = Json::array();
    for (const learn::TensorInfo& tensor : *layout) {
      table.Add({tensor.name, ShapeText(tensor.shape), std::to_string(tensor.Count())});
      json["tensors"].push_back({{"name", tensor.name}, {"shape", tensor.shape}});
    }
    text += "\n" + table.Text(false);
  }
  PrintOne(context, json, text, m.Key());
  return Exit::kDone;
}

}  // namespace

Command ListModelsCommand() {
  auto options = std::make_shared<ListOptions>();
  Command c("list", "list the models");
  c.About(
      "The newest version of each model, with what was measured on the held-out rows of the clusters. Clusters and "
      "preparation are told by ote model show.");
  c.Argument("NAME", options->name, "only this one").Optional().Completes(Names::kModel);
  c.Switch("--all", options->all, "all versions");
  c.Example("ote model list", "for people");
  c.Example("ote model list digits --all -o json", "every version of one, for a program");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([options](Context& context) { return List(context, *options); });
  return c;
}

Command ShowModelCommand() {
  auto options = std::make_shared<ShowOptions>();
  Command c("show", "print one model");
  c.About(
      "What it is, what it takes and gives, where it came from (run, round, clusters, and the model that it started "
      "from), its digest and its tensors.");
  c.Argument("MODEL", options->model, kModelHelp).Completes(Names::kModel);
  c.Example("ote model show digits", "the newest version");
  c.Example("ote model show digits@production -o json", "the tagged one, for a program");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([options](Context& context) { return Show(context, *options); });
  return c;
}

}  // namespace ote::cli
