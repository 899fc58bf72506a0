#include "cli/frame/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "cli/frame/report.h"

namespace ote::cli {
namespace {

constexpr std::size_t kWidth = 100;

void Parameters(std::string& out, std::string_view title, const std::vector<const Parameter*>& list) {
  if (list.empty()) return;
  out += fmt::format("\n{}:\n", title);
  std::size_t widest = 0;
  for (const Parameter* p : list) widest = std::max(widest, ParameterLabel(*p).size());
  widest = std::min<std::size_t>(widest, 32);
  for (const Parameter* p : list) {
    const std::string label = ParameterLabel(*p);
    const std::string text = Wrap(ParameterText(*p), widest + 4, kWidth);
    if (label.size() <= widest) {
      out += fmt::format("  {:<{}}  {}", label, widest, text.substr(widest + 4));
    } else {
      out += fmt::format("  {}\n{}", label, text);
    }
  }
}

}  // namespace

std::string Wrap(const std::string& text, std::size_t indent, std::size_t width) {
  std::istringstream words(text);
  std::string out;
  std::string line;
  std::string word;
  const std::string margin(indent, ' ');
  while (words >> word) {
    if (!line.empty() && indent + line.size() + 1 + word.size() > width) {
      out += margin + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return out + margin + line + "\n";
}

std::string ParameterLabel(const Parameter& parameter) {
  if (parameter.IsArgument()) return parameter.value + (parameter.repeats ? "..." : "");
  std::string label;
  for (const std::string& name : parameter.names) label += (label.empty() ? "" : ", ") + name;
  return parameter.value.empty() ? label : label + " " + parameter.value;
}

std::string ParameterText(const Parameter& parameter) {
  std::string text = parameter.help;
  if (!parameter.choices.empty()) {
    std::string all;
    for (const std::string& choice : parameter.choices) all += (all.empty() ? "" : ", ") + choice;
    text += fmt::format(" ({})", all);
  }
  if (parameter.repeats && !parameter.IsArgument()) text += "; may be given several times";
  if (!parameter.fallback.empty()) text += fmt::format(" [default: {}]", parameter.fallback);
  if (parameter.required && !parameter.IsArgument()) text += " [required]";
  return text;
}

std::string UsageLine(const Command& command, const std::string& words) {
  std::string line = words;
  if (!command.children().empty() && !command.act()) return line + " COMMAND [flags]";
  for (const Parameter& p : command.parameters()) {
    if (p.IsArgument()) {
      const std::string name = p.value + (p.repeats ? "..." : "");
      line += p.required ? " " + name : " [" + name + "]";
    } else if (p.required) {
      line += fmt::format(" {} {}", p.Name(), p.value);
    }
  }
  return line + " [flags]";
}

std::string HelpText(const Command& command, const std::string& words) {
  std::string out = fmt::format("{} - {}\n\nusage: {}\n", words, command.summary(), UsageLine(command, words));
  if (!command.about().empty()) out += "\n" + Wrap(command.about(), 0, kWidth);

  std::vector<const Parameter*> arguments;
  std::vector<const Parameter*> flags;
  for (const Parameter& p : command.parameters()) (p.IsArgument() ? arguments : flags).push_back(&p);
  if (!command.children().empty()) {
    out += "\ncommands:\n";
    std::size_t widest = 0;
    for (const Command& child : command.children()) widest = std::max(widest, child.name().size());
    for (const Command& child : command.children()) {
      out += fmt::format("  {:<{}}  {}\n", child.name(), widest, child.summary());
    }
  }
  Parameters(out, "arguments", arguments);
  Parameters(out, "flags", flags);
  Globals defaults;
  const auto globals = GlobalParametersOf(command, defaults);
  std::vector<const Parameter*> common;
  for (const Parameter& p : globals) common.push_back(&p);
  Parameters(out, "common flags", common);
  if (!command.examples().empty()) {
    out += "\nexamples:\n";
    for (const Example& example : command.examples()) {
      out += fmt::format("  # {}\n  {}\n", example.what, example.line);
    }
  }
  if (command.act()) {
    out += "\nexit status: 0 done, 2 usage";
    for (const Exit exit : command.exits()) out += fmt::format(", {} {}", static_cast<int>(exit), ExitText(exit));
    out += "\n";
  }
  return out;
}

}  // namespace ote::cli
