#include "cli/docs/man.h"

#include <fmt/format.h>

#include <map>

#include "cli/docs/completions.h"
#include "cli/docs/roff.h"
#include "cli/frame/help.h"
#include "cli/frame/report.h"
#include "core/api/run.h"

namespace ote::cli {
namespace {

std::string Terms(const std::vector<Parameter>& parameters) {
  std::string out;
  for (const Parameter& p : parameters) {
    out += ".TP\n\\fB" + Escape(ParameterLabel(p)) + "\\fR\n" + Escape(ParameterText(p)) + "\n";
  }
  return out;
}

// Leaves of a document as "sites.fraction" and their values.
void Leaves(const Json& json, const std::string& path, std::map<std::string, std::string>* out) {
  if (json.is_object() && !json.empty()) {
    for (const auto& [key, value] : json.items()) Leaves(value, path.empty() ? key : path + "." + key, out);
  } else {
    (*out)[path] = json.dump();
  }
}

}  // namespace

std::string PageName(const std::string& words) {
  std::string name = words;
  for (char& c : name) {
    if (c == ' ') c = '-';
  }
  return name;
}

std::string CommandPage(const Command& command, const std::string& words, const std::string& prose) {
  std::string out = PageHead(PageName(words), 1, command.summary());
  out += ".SH SYNOPSIS\n.B " + Escape(UsageLine(command, words)) + "\n";
  out += ".SH DESCRIPTION\n" + Escape(command.about()) + "\n";
  if (!command.children().empty()) {
    out += ".SH COMMANDS\n";
    for (const Command& child : command.children()) {
      out += ".TP\n.BR " + Escape(PageName(words + " " + child.name())) + " (1)\n" + Escape(child.summary()) + "\n";
    }
  }
  std::vector<Parameter> arguments;
  std::vector<Parameter> flags;
  for (const Parameter& p : command.parameters()) (p.IsArgument() ? arguments : flags).push_back(p);
  if (!arguments.empty()) out += ".SH ARGUMENTS\n" + Terms(arguments);
  Globals unused;
  if (command.changes()) {
    // The last two of them: --dry-run and --request-id.
    const auto globals = GlobalParameters(unused, true);
    flags.insert(flags.end(), globals.end() - 2, globals.end());
  }
  if (!flags.empty()) out += ".SH FLAGS\n" + Terms(flags);
  if (words != "ote") out += ".PP\nThe flags that all commands have are in\n.BR ote (1).\n";
  out += FromMarkup(prose);
  out += ".SH EXAMPLES\n";
  for (const Example& example : command.examples()) {
    out += ".PP\n" + Escape(example.what) + ":\n.RS 4\n.EX\n" + Escape(example.line) + "\n.EE\n.RE\n";
  }
  if (command.act()) {
    out += ".SH EXIT STATUS\n.TP\n0\ndone\n.TP\n2\nusage\n";
    for (const Exit exit : command.exits()) {
      out += fmt::format(".TP\n{}\n{}\n", static_cast<int>(exit), Escape(ExitText(exit)));
    }
  }
  out += ".SH SEE ALSO\n.BR ote (1),\n.BR ote\\-run (5),\n.BR ote\\-security (7),\n.BR ote\\-agent (8)\n";
  return out;
}

std::string ExitStatusMarkup() {
  std::string out;
  for (const Exit exit :
       {Exit::kDone, Exit::kFailed, Exit::kUsage, Exit::kTimedOut, Exit::kRefused, Exit::kUnreachable, Exit::kConflict,
        Exit::kNotFound, Exit::kVerification, Exit::kPartly, Exit::kBug, Exit::kInterrupted}) {
    out += fmt::format("`{}` :: {}\n", static_cast<int>(exit), ExitText(exit));
  }
  return out;
}

std::string CommonFlagsMarkup() {
  Globals unused;
  std::string out;
  for (const Parameter& p : GlobalParameters(unused, true)) {
    out += fmt::format("`{}` :: {}\n", ParameterLabel(p), ParameterText(p));
  }
  return out;
}

std::string CommandListMarkup(const Command& root) {
  std::string out;
  ForEachCommand(root, [&](const std::string& words, const Command& command) {
    if (command.act()) out += fmt::format("`{}` :: {}\n", words, command.summary());
  });
  return out;
}

std::string ErrorListMarkup() {
  const auto [rows, count] = AllErrors();
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    out += fmt::format("`{}` :: {}: exit status {}\n", Error{rows[i].id, "", ""}.Code(), rows[i].title,
                       static_cast<int>(rows[i].exit));
  }
  return out;
}

Result<void> CheckRunFields(const std::string& page) {
  std::map<std::string, std::string> defaults;
  Leaves(ToJson(api::RunSpec{}), "", &defaults);
  for (const auto& [path, value] : defaults) {
    if (page.find(path.substr(path.rfind('.') + 1)) == std::string::npos) {
      return Fail(ErrorId::kInternal, path + ": a field of the run file that ote-run(5) does not name");
    }
  }
  return {};
}

}  // namespace ote::cli
