// ote app templates: what ote app init can begin with.
#include "cli/app/templates.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/frame/output.h"
#include "cli/frame/share.h"
#include "core/base/files.h"

namespace ote::cli {
namespace {

Result<Exit> List(Context& context) {
  OTE_TRY(const auto names, TemplateNames(context));
  Table table({{"NAME"}, {"WHAT"}});
  std::vector<Json> items;
  for (const auto& name : names) {
    OTE_TRY(const auto found, LoadTemplate(context, name));
    table.Add({name, found.about});
    Json values = Json::array();
    for (const auto& value : found.values) values.push_back(ToJson(value));
    items.push_back({{"name", name}, {"about", found.about}, {"values", std::move(values)}});
  }
  PrintList(context, items, table, names);
  return Exit::kDone;
}

}  // namespace

Result<std::vector<std::string>> TemplateNames(const Context& context) {
  OTE_TRY(const auto folder, FindShared(context, "apps"));
  std::vector<std::string> names;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failed)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  if (failed) return Fail(FileError("cannot list", folder, failed.value()));
  std::sort(names.begin(), names.end());
  return names;
}

Result<Template> LoadTemplate(const Context& context, const std::string& name) {
  OTE_TRY(const auto names, TemplateNames(context));
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    const std::vector<std::string_view> known(names.begin(), names.end());
    const auto near = Nearest(name, known);
    return Fail(ErrorId::kTemplateUnknown,
                fmt::format("template {}: none of that name is installed{}", name,
                            near.empty() ? "" : fmt::format("; did you mean {}?", near)),
                "ote app templates");
  }
  OTE_TRY(const auto file, FindShared(context, "apps/" + name + ".yaml"));
  OTE_TRY(const std::string text, ReadTextFile(file, 1 << 20));
  return ReadTemplate(text, name, file.string());
}

Command AppTemplatesCommand() {
  Command c("templates", "list the templates of app files");
  c.About("Those that are installed with ote. ote app init --template NAME --help-values shows what each takes.");
  c.Example("ote app templates", "their names, and what they are for");
  c.Example("ote app templates -o json", "with their values, for a program");
  c.Exits({Exit::kFailed, Exit::kNotFound});
  c.Does([](Context& context) { return List(context); });
  return c;
}

}  // namespace ote::cli
