#include "cli/frame/command.h"

#include <algorithm>

namespace ote::cli {

std::string_view Parameter::Name() const noexcept {
  std::string_view longest = value;
  if (!names.empty()) longest = names.front();
  for (const std::string& name : names) {
    if (name.size() > longest.size()) longest = name;
  }
  return longest;
}

Command& Command::About(std::string text) {
  about_ = std::move(text);
  return *this;
}
Command& Command::Example(std::string line, std::string what) {
  examples_.push_back({std::move(line), std::move(what)});
  return *this;
}
Command& Command::Exits(std::vector<Exit> exits) {
  exits_ = std::move(exits);
  return *this;
}
Command& Command::Changes() {
  changes_ = true;
  return *this;
}
Command& Command::Add(Command child) {
  children_.push_back(std::move(child));
  return *this;
}
Command& Command::Does(std::function<Result<Exit>(Context&)> act) {
  act_ = std::move(act);
  return *this;
}

Command& Command::Switch(std::string_view names, bool& out, std::string help) {
  return AddParameter(names, "", std::move(help), "", {}, false, false, [&out](const std::string& text) {
    out = text != "false";
    return Result<void>{};
  });
}
Command& Command::Required() {
  parameters_.back().required = true;
  return *this;
}
Command& Command::Optional() {
  parameters_.back().required = false;
  return *this;
}
Command& Command::Fallback(std::string shown) {
  parameters_.back().fallback = std::move(shown);
  return *this;
}
Command& Command::Completes(Names names) {
  parameters_.back().completes = names;
  return *this;
}
Command& Command::Choices(std::vector<std::string> choices) {
  parameters_.back().choices = std::move(choices);
  return *this;
}

const Command* Command::Find(std::string_view child) const noexcept {
  for (const Command& c : children_) {
    if (c.name() == child) return &c;
  }
  return nullptr;
}

Command& Command::AddParameter(std::string_view names, std::string value, std::string help, std::string fallback,
                               std::vector<std::string> choices, bool repeats, bool required,
                               std::function<Result<void>(const std::string&)> set) {
  Parameter p;
  p.names = SplitList(names);
  p.value = std::move(value);
  p.help = std::move(help);
  p.fallback = std::move(fallback);
  p.choices = std::move(choices);
  p.repeats = repeats;
  p.required = required;
  p.set = std::move(set);
  parameters_.push_back(std::move(p));
  return *this;
}

std::vector<Parameter> GlobalParameters(Globals& flags, bool changes) {
  Command c("", "");
  c.Option("-o,--output", "FORMAT", flags.output, "how the result is printed: a table for people, or one document");
  c.Switch("-q,--quiet", flags.quiet, "print ids only, and no messages but errors");
  c.Option("--state", "DIR", flags.state, "the state folder of the agent that is spoken to").Completes(Names::kFile);
  c.Fallback("$OTE_STATE, or the context's");
  c.Option("--context", "NAME", flags.context, "the context to use, see ote context list").Completes(Names::kContext);
  c.Fallback("$OTE_CONTEXT, or the current one");
  c.Option("--credential", "FILE", flags.credential, "speak to an agent elsewhere, as the operator of the file")
      .Completes(Names::kFile);
  c.Fallback("$OTE_CREDENTIAL, or the context's");
  c.Option("--timeout", "DURATION", flags.timeout, "bounds every wait of the command, as in 90s or 5m");
  c.Switch("-y,--yes", flags.yes, "answer yes to the question before something is lost");
  c.Option("--progress", "MODE", flags.progress, "how progress is shown on standard error");
  c.Option("--color", "WHEN", flags.color, "colours in messages; NO_COLOR and TERM=dumb turn them off too");
  if (changes) {
    c.Switch("--dry-run", flags.dry_run, "check and say what would be done, and do nothing");
    c.Option("--request-id", "ID", flags.request_id,
             "names the request: the same id and content twice is one request, other content is a conflict");
  }
  return c.parameters();
}

std::vector<Parameter> GlobalParametersOf(const Command& command, Globals& flags) {
  auto globals = GlobalParameters(flags, command.changes());
  for (Parameter& p : globals) {
    std::erase_if(p.names, [&](const std::string& name) {
      return std::any_of(command.parameters().begin(), command.parameters().end(), [&](const Parameter& mine) {
        return std::find(mine.names.begin(), mine.names.end(), name) != mine.names.end();
      });
    });
  }
  return globals;
}

}  // namespace ote::cli
