#include "cli/frame/run.h"

#include <fmt/format.h>

#include <exception>
#include <ostream>

#include "cli/frame/help.h"
#include "cli/frame/parse.h"
#include "cli/frame/report.h"

namespace ote::cli {
namespace {

// The format asked for, seen before parsing: usage errors are documents too.
void PeekFormat(const std::vector<std::string>& args, Globals& flags) {
  for (std::size_t i = 0; i < args.size(); ++i) {
    std::string value;
    if ((args[i] == "-o" || args[i] == "--output") && i + 1 < args.size()) value = args[i + 1];
    if (args[i].starts_with("--output=")) value = args[i].substr(9);
    if (args[i].starts_with("-o") && args[i].size() > 2) value = args[i].substr(args[i][2] == '=' ? 3 : 2);
    if (value == "json") flags.output = Format::kJson;
    if (value == "jsonl") flags.output = Format::kJsonl;
  }
}

Result<Exit> Run(const Command& root, const std::vector<std::string>& args, Context& context) {
  OTE_TRY(const Resolved resolved, Resolve(root, args));
  const Command& command = resolved.Last();
  if (resolved.help || !command.act()) {
    context.out << HelpText(command, resolved.Words());
    return Exit::kDone;
  }
  OTE_CHECK(Parse(resolved, context.flags));
  return command.act()(context);
}

}  // namespace

int RunCommand(const Command& root, const std::vector<std::string>& args, Context& context) {
  PeekFormat(args, context.flags);
  try {
    auto done = Run(root, args, context);
    context.out.flush();
    if (!done) return Report(context, done.error());
    if (!context.out) return Report(context, Error{ErrorId::kFileFailed, "standard output: cannot be written", {}});
    return static_cast<int>(*done);
  } catch (const std::exception& e) {
    return Report(context, Error{ErrorId::kInternal, fmt::format("unexpected: {}", e.what()), "ote explain E0001"});
  }
}

}  // namespace ote::cli
