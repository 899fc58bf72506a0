// ote app init: an app file from a template.
#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "cli/app/templates.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "core/base/files.h"

namespace ote::cli {

// "k=v" as it is written: the value may hold anything, commas as well.
struct Settings {
  std::vector<std::pair<std::string, std::string>> items;
  void clear() { items.clear(); }
};
template <>
inline constexpr bool kRepeats<Settings> = true;

namespace {

struct InitAppOptions {
  std::string name;
  Settings set;
  Settings set_file;
  std::filesystem::path out;
  bool help_values = false;
  bool force = false;
};

void ShowValues(Context& context, const Template& found) {
  Table table({{"VALUE"}, {"TYPE"}, {"DEFAULT"}, {"WHAT"}});
  std::vector<Json> items;
  std::vector<std::string> names;
  for (const auto& value : found.values) {
    table.Add({value.name, std::string(NameOf(value.type)), value.required ? "(required)" : value.fallback.value_or(""),
               value.description});
    items.push_back(ToJson(value));
    names.push_back(value.name);
  }
  PrintList(context, items, table, names);
}

Result<TemplateInput> Gather(Context& context, const Template& found, const InitAppOptions& options) {
  TemplateInput input;
  const auto add = [&](const std::string& name, std::string text) -> Result<void> {
    if (input.emplace(name, std::move(text)).second) return {};
    return Fail(ErrorId::kTemplateInvalid, fmt::format("value {}: given twice", name));
  };
  for (const auto& [name, text] : options.set.items) {
    for (const auto& value : found.values) {
      if (value.name != name || value.type != TemplateType::kSecret) continue;
      Warn(context, fmt::format("value {}: a secret on the command line is seen by others on this machine", name),
           fmt::format("--set-file {}=FILE", name));
    }
    OTE_CHECK(add(name, text));
  }
  for (const auto& [name, file] : options.set_file.items) {
    OTE_TRY(std::string text, ReadTextFile(context.Absolute(file), 1 << 20));
    if (text.ends_with('\n')) text.pop_back();
    OTE_CHECK(add(name, std::move(text)));
  }
  return input;
}

Result<Exit> InitApp(Context& context, const InitAppOptions& options) {
  OTE_TRY(const Template found, LoadTemplate(context, options.name));
  if (options.help_values) {
    ShowValues(context, found);
    return Exit::kDone;
  }
  OTE_TRY(const auto input, Gather(context, found, options));
  OTE_TRY(const std::string text, FillTemplate(found, input));
  if (options.out.empty() || options.out == "-") {
    context.out << text;
    context.printed = true;
    return Exit::kDone;
  }
  const auto file = context.Absolute(options.out);
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored) && !options.force) {
    const auto there = ReadTextFile(file, 1 << 20);
    if (!there || *there != text) {
      return Fail(ErrorId::kConflict, fmt::format("{}: is there already, with another content", file.string()),
                  "--force, or another name with -o");
    }
    Say(context, fmt::format("{}: is there already", file.string()));
    return Exit::kDone;
  }
  if (context.flags.dry_run) {
    Say(context, fmt::format("{}: would be written", file.string()));
    return Exit::kDone;
  }
  const bool secret = std::any_of(found.values.begin(), found.values.end(),
                                  [](const TemplateValue& value) { return value.type == TemplateType::kSecret; });
  OTE_CHECK(WriteFileAtomic(file, AsBytes(text), secret ? 0600 : 0644));
  Say(context, fmt::format("{}: written", file.string()));
  Next(context, fmt::format("ote app deploy -f {} --selector …", options.out.string()));
  return Exit::kDone;
}

}  // namespace

Result<void> ReadValue(const std::string& text, Settings& out) {
  const std::size_t at = text.find('=');
  if (at == std::string::npos || at == 0) return Fail(ErrorId::kUsage, text + ": not NAME=VALUE");
  out.items.emplace_back(text.substr(0, at), text.substr(at + 1));
  return {};
}
std::string ShowValue(const Settings&) { return {}; }

Command AppInitCommand() {
  auto options = std::make_shared<InitAppOptions>();
  Command c("init", "write an app file from a template");
  c.About(
      "Fills in a template that is installed with ote. Each value is checked by its type, and stays one value in the "
      "file whatever is in it. Where the template takes a secret the file holds it, and is readable for its owner "
      "only.");
  c.Option("--template", "NAME", options->name, "the template; ote app templates lists them").Required();
  c.Option("--set", "NAME=VALUE", options->set, "a value");
  c.Option("--set-file", "NAME=FILE", options->set_file, "a value that is in a file, such as a secret")
      .Completes(Names::kFile);
  c.Option("-o,--out", "FILE", options->out, "the app file; otherwise it goes to standard output")
      .Completes(Names::kFile);
  c.Switch("--help-values", options->help_values, "list the values that the template takes, and do nothing");
  c.Switch("--force", options->force, "overwrite what is there");
  c.Example("ote app init --template inference --set name=digits --set model=digits.safetensors -o app.yaml",
            "a service that answers predictions");
  c.Example("ote app init --template federated-site --help-values", "what that one wants to know");
  c.Exits({Exit::kFailed, Exit::kConflict, Exit::kNotFound});
  c.Changes();
  c.Does([options](Context& context) { return InitApp(context, *options); });
  return c;
}

}  // namespace ote::cli
