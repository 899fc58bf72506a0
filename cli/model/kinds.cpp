// ote model kinds: what a run can train.
#include "cli/frame/output.h"
#include "cli/model/commands.h"
#include "core/learn/models.h"

namespace ote::cli {
namespace {

std::vector<std::string> TaskNames(const learn::ModelInfo& info) {
  std::vector<std::string> names;
  for (const api::DataTask task : info.tasks) names.emplace_back(NameOf(task));
  return names;
}

std::string SettingsText(const learn::ModelInfo& info, const Json& defaults) {
  std::vector<std::string> parts;
  for (const learn::ModelSetting& setting : info.settings) {
    const auto it = defaults.find(setting.name);
    std::string part(setting.name);
    if (it != defaults.end()) part += "=" + (it->is_string() ? it->get<std::string>() : DumpJson(*it));
    parts.push_back(std::move(part));
  }
  return Join(parts, " ");
}

Json JsonOf(const learn::ModelInfo& info, const Json& defaults) {
  Json settings = Json::array();
  for (const learn::ModelSetting& setting : info.settings) {
    Json item{{"name", setting.name}, {"help", setting.help}};
    const auto it = defaults.find(setting.name);
    if (it != defaults.end()) item["default"] = *it;
    settings.push_back(std::move(item));
  }
  return {{"kind", NameOf(info.kind)}, {"summary", info.summary}, {"paper", info.paper},
          {"tasks", TaskNames(info)},  {"settings", settings},    {"statistical", info.statistical}};
}

Result<Exit> Kinds(Context& context) {
  const Json defaults = ToJson(api::ModelSpec{});
  Table table({{"KIND"}, {"TASKS"}, {"SUMMARY"}, {"SETTINGS"}, {"PAPER", true}});
  std::vector<Json> items;
  std::vector<std::string> names;
  for (const learn::ModelInfo* info : learn::AllModels()) {
    names.emplace_back(NameOf(info->kind));
    table.Add({names.back(), Join(TaskNames(*info)), std::string(info->summary), SettingsText(*info, defaults),
               std::string(info->paper)});
    items.push_back(JsonOf(*info, defaults));
  }
  PrintList(context, items, table, names);
  return Exit::kDone;
}

}  // namespace

Command KindsCommand() {
  Command c("kinds", "list the kinds of models that a run can train");
  c.About(
      "What each is for, and the settings that it reads from the model part of a run file, with their defaults. Needs "
      "no agent; with -o json what each setting means, too.");
  c.Example("ote model kinds", "for people");
  c.Example("ote model kinds -o json", "with what each setting means");
  c.Does([](Context& context) { return Kinds(context); });
  return c;
}

}  // namespace ote::cli
