#include "cli/context/commands.h"

#include <fmt/format.h>

#include "cli/frame/credential.h"
#include "cli/frame/names.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/frame/settings.h"
#include "core/base/ids.h"

namespace ote::cli {
namespace {

struct UseOptions {
  std::string name;
};
struct AddOptions {
  std::string name;
  std::filesystem::path file;
};
struct ShowOptions {
  std::string name;
  bool origin = false;
};

Result<Exit> List(Context& context) {
  OTE_TRY(const Config config, LoadConfig(context));
  Table table({{"CURRENT"}, {"NAME"}, {"STATE"}, {"CREDENTIAL"}});
  std::vector<Json> items;
  std::vector<std::string> names;
  for (const auto& [name, entry] : config.contexts) {
    const bool current = name == config.current;
    table.Add({current ? "*" : "", name, entry.state, entry.credential});
    items.push_back({{"name", name}, {"state", entry.state}, {"credential", entry.credential}, {"current", current}});
    names.push_back(name);
  }
  CacheNames(context, "context", names);
  PrintList(context, items, table, names);
  return Exit::kDone;
}

Result<Exit> Use(Context& context, const UseOptions& options) {
  OTE_TRY(Config config, LoadConfig(context));
  if (!config.contexts.contains(options.name)) {
    std::vector<std::string_view> known;
    for (const auto& [name, entry] : config.contexts) known.push_back(name);
    const std::string_view near = Nearest(options.name, known);
    return Fail(ErrorId::kNotFound,
                fmt::format("context {}: no such context{}", options.name,
                            near.empty() ? "" : fmt::format("; did you mean {}?", near)),
                "ote context list");
  }
  const bool change = config.current != options.name;
  config.current = options.name;
  if (change && !context.flags.dry_run) OTE_CHECK(SaveConfig(context, config));
  Say(context, fmt::format("context {}: {}", options.name,
                           !change                 ? "is the current one already"
                           : context.flags.dry_run ? "would be the current one"
                                                   : "is the current one now"));
  PrintOne(context, {{"name", options.name}, {"state", config.contexts[options.name].state}, {"current", true}}, "",
           options.name);
  return Exit::kDone;
}

Result<Exit> Add(Context& context, const AddOptions& options) {
  OTE_CHECK(CheckName("context", options.name));
  const auto file = context.Absolute(options.file);
  OTE_TRY(const auto held, LoadCredential(file));
  OTE_TRY(Config config, LoadConfig(context));
  const auto found = config.contexts.find(options.name);
  const bool there = found != config.contexts.end();
  if (there && found->second.credential != file.string()) {
    return Fail(ErrorId::kConflict, fmt::format("context {}: stands for something else already", options.name),
                "ote context list");
  }
  config.contexts[options.name].credential = file.string();
  if (!there && !context.flags.dry_run) OTE_CHECK(SaveConfig(context, config));
  Say(context, fmt::format("context {}: {}", options.name,
                           there                   ? "is there already"
                           : context.flags.dry_run ? "would be added"
                                                   : "speaks as operator " + held.about.name));
  PrintOne(context, {{"name", options.name}, {"credential", file.string()}, {"operator", held.about.name}}, "",
           options.name);
  Next(context, "ote context use " + options.name);
  return Exit::kDone;
}

Result<Exit> Show(Context& context, const ShowOptions& options) {
  if (!options.name.empty()) {
    context.flags.context = options.name;
    context.flags.state.clear();
    context.flags.credential.clear();
  }
  OTE_TRY(const ChosenState chosen, ChooseAgent(context));
  const Json json{
      {"name", chosen.context},  {"state", chosen.path.string()},          {"credential", chosen.credential.string()},
      {"origin", chosen.origin}, {"config", ConfigFile(context).string()}, {"cache", CacheFolder(context).string()}};
  Facts facts{{"name", chosen.context}, {"state", chosen.path.string()}, {"credential", chosen.credential.string()}};
  if (options.origin || context.flags.output == Format::kWide) {
    facts.push_back({"origin", chosen.origin});
    facts.push_back({"config", ConfigFile(context).string()});
    facts.push_back({"cache", CacheFolder(context).string()});
  }
  const auto where = chosen.credential.empty() ? chosen.path : chosen.credential;
  PrintOne(context, json, FactsText(facts), chosen.context.empty() ? where.string() : chosen.context);
  return Exit::kDone;
}

}  // namespace

Command ContextCommand() {
  Command noun("context", "name state folders and credentials, and choose between them");
  noun.About(
      "A context is a name, kept in config.yaml, for a state folder, or for an operator's credential to an agent "
      "elsewhere. Which one a command speaks about is decided by --state or --credential, then --context, then "
      "OTE_STATE, then OTE_CREDENTIAL, then OTE_CONTEXT, then the current context, then the default folder.");
  noun.Example("ote context list", "what there is");
  noun.Example("ote context use hq", "speak to hq from now on");

  Command list("list", "list the contexts");
  list.About("Init and join give a context to each state folder that they make.");
  list.Example("ote context list", "for people");
  list.Example("ote context list -o name", "names only");
  list.Does([](Context& context) { return List(context); });
  noun.Add(std::move(list));

  auto use_options = std::make_shared<UseOptions>();
  Command use("use", "make a context the current one");
  use.About("Commands without --state, --context and OTE_STATE speak to its agent from then on.");
  use.Argument("NAME", use_options->name, "the context").Completes(Names::kContext);
  use.Example("ote context use hq", "speak to hq");
  use.Example("ote context use hq --dry-run", "see whether there is one of that name");
  use.Exits({Exit::kNotFound});
  use.Changes();
  use.Does([use_options](Context& context) { return Use(context, *use_options); });
  noun.Add(std::move(use));

  auto add_options = std::make_shared<AddOptions>();
  Command add("add", "give a credential a name");
  add.About("The file stays where it is. Init and join name the state folders that they make by themselves.");
  add.Argument("NAME", add_options->name, "the context");
  add.Argument("FILE", add_options->file, "the credential, from ote key create").Completes(Names::kFile);
  add.Example("ote context add hq-kim kim.credential", "name it");
  add.Example("ote context add hq-kim kim.credential --dry-run", "see whether the file can be used");
  add.Exits({Exit::kRefused, Exit::kConflict});
  add.Changes();
  add.Does([add_options](Context& context) { return Add(context, *add_options); });
  noun.Add(std::move(add));

  auto show_options = std::make_shared<ShowOptions>();
  Command show("show", "print what commands speak about, and why");
  show.About("With --origin it tells which setting decided, and where config.yaml and the cache are.");
  show.Argument("NAME", show_options->name, "a context; the one in effect without it")
      .Optional()
      .Completes(Names::kContext);
  show.Switch("--origin", show_options->origin, "tell which setting decided");
  show.Example("ote context show --origin", "which folder, and who said so");
  show.Example("ote context show hq", "where hq is");
  show.Exits({Exit::kNotFound});
  show.Does([show_options](Context& context) { return Show(context, *show_options); });
  noun.Add(std::move(show));
  return noun;
}

}  // namespace ote::cli
