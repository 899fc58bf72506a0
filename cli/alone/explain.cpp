// ote explain: what an error code means. No network, no state.
#include <fmt/format.h>

#include "cli/alone/commands.h"
#include "cli/frame/help.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"

namespace ote::cli {
namespace {

struct ExplainOptions {
  std::string code;
};

std::string CodeOf(const ErrorInfo& info) { return Error{info.id, "", ""}.Code(); }

Json Document(const ErrorInfo& info) {
  return Json{{"code", CodeOf(info)},
              {"title", info.title},
              {"advice", info.advice},
              {"exitCode", static_cast<int>(info.exit)}};
}

Result<Exit> ExplainAll(Context& context) {
  const auto [rows, count] = AllErrors();
  Table table({{"CODE"}, {"EXIT", false, true}, {"WHAT"}});
  std::vector<Json> items;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) {
    table.Add({CodeOf(rows[i]), fmt::format("{}", static_cast<int>(rows[i].exit)), std::string(rows[i].title)});
    items.push_back(Document(rows[i]));
    names.push_back(CodeOf(rows[i]));
  }
  PrintList(context, items, table, names);
  return Exit::kDone;
}

Result<Exit> Explain(Context& context, const ExplainOptions& options) {
  if (options.code.empty()) return ExplainAll(context);
  const ErrorInfo* info = FindError(options.code);
  if (info == nullptr) {
    return Fail(ErrorId::kNotFound, fmt::format("{}: no such error code", options.code), "ote explain");
  }
  PrintOne(context, Document(*info),
           fmt::format("{}: {}\n\n{}\nexit status: {} ({})\n", CodeOf(*info), info->title,
                       Wrap(std::string(info->advice), 0, 100), static_cast<int>(info->exit), ExitText(info->exit)),
           CodeOf(*info));
  return Exit::kDone;
}

}  // namespace

Command ExplainCommand() {
  auto options = std::make_shared<ExplainOptions>();
  Command c("explain", "tell what an error code means and what to do about it");
  c.About("Prints the page of one error code, or the list of all of them. Works with no network and no state folder.");
  c.Argument("CODE", options->code, "the code from the message: E0102, OTE-E0102 or 102").Optional();
  c.Example("ote explain E0102", "what to do about an expired token");
  c.Example("ote explain -o json", "all codes, for a program");
  c.Exits({Exit::kNotFound});
  c.Does([options](Context& context) { return Explain(context, *options); });
  return c;
}

}  // namespace ote::cli
