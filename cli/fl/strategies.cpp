// ote fl strategies.
#include <fmt/format.h>

#include "cli/fl/commands.h"
#include "cli/frame/output.h"
#include "core/federate/strategy.h"

namespace ote::cli {
namespace {

Json AsJson(const federate::StrategyInfo& info) {
  Json settings = Json::array();
  for (const federate::StrategySetting& setting : info.settings) {
    settings.push_back({{"name", setting.name}, {"default", setting.fallback}, {"help", setting.help}});
  }
  const bool needs_all = info.make(api::StrategySpec{})->NeedsAll();
  return {{"kind", NameOf(info.kind)},
          {"summary", info.summary},
          {"paper", info.paper},
          {"needsEveryUpdate", needs_all},
          {"settings", std::move(settings)}};
}

Result<Exit> List(Context& context) {
  Table table({{"STRATEGY"}, {"WHAT IT DOES"}, {"SETTINGS"}, {"PAPER", true}});
  std::vector<Json> items;
  std::vector<std::string> names;
  for (const federate::StrategyInfo* info : federate::AllStrategies()) {
    std::vector<std::string> settings;
    for (const federate::StrategySetting& setting : info->settings) {
      const bool number = setting.fallback.find(' ') == setting.fallback.npos && setting.fallback != "none";
      settings.push_back(number ? fmt::format("{}={}", setting.name, setting.fallback) : std::string(setting.name));
    }
    names.emplace_back(NameOf(info->kind));
    table.Add({names.back(), std::string(info->summary), Join(settings, " "), std::string(info->paper)});
    items.push_back(AsJson(*info));
  }
  PrintList(context, items, table, names);
  return Exit::kDone;
}

}  // namespace

Command StrategiesCommand() {
  Command c("strategies", "list how updates can become the next model");
  c.About(
      "Each with its settings and their defaults, as the strategy part of a run file has them; -o wide adds the "
      "papers, "
      "-o json what each setting means.");
  c.Example("ote fl strategies", "for people");
  c.Example("ote fl strategies -o wide", "with the papers");
  c.Does([](Context& context) { return List(context); });
  return c;
}

}  // namespace ote::cli
