// The description of a command: one table from which parsing, --help, man pages and completions are made.
//
// A verb is an options struct, a function that describes the command and binds its flags to the options, and a function
// that acts on them:
//
//   Command ShowCommand() {
//     auto options = std::make_shared<ShowOptions>();
//     Command c("show", "print one cluster");
//     c.About("…").Argument("NAME", options->name, "the cluster").Completes(Names::kCluster);
//     c.Example("ote cluster show clinic-a", "…");
//     c.Does([options](Context& context) { return Show(context, *options); });
//     return c;
//   }
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/frame/context.h"
#include "cli/frame/values.h"
#include "core/base/result.h"

namespace ote::cli {

// What completes a value.
enum class Names { kNone, kFile, kCluster, kRun, kDataset, kModel, kContext, kToken, kTrainer, kCommand };

// A flag or, when `names` is empty, an argument.
struct Parameter {
  std::vector<std::string> names;  // "-f", "--file"
  std::string value;               // what its value is called; "" for a switch
  std::string help;
  std::string fallback;  // the default as shown; "" for none
  std::vector<std::string> choices;
  Names completes = Names::kNone;
  bool required = false;
  bool repeats = false;
  std::function<Result<void>(const std::string&)> set;

  bool IsArgument() const noexcept { return names.empty(); }
  // "--listen", the longest name; the value's name of an argument.
  std::string_view Name() const noexcept;
};

struct Example {
  std::string line;  // works as it stands
  std::string what;
};

class Command {
 public:
  Command(std::string name, std::string summary) : name_(std::move(name)), summary_(std::move(summary)) {}

  // One paragraph.
  Command& About(std::string text);
  Command& Example(std::string line, std::string what);
  // Statuses beside 0 and 2, which every command has.
  Command& Exits(std::vector<Exit> exits);
  // It changes something: takes --dry-run and --request-id.
  Command& Changes();
  Command& Add(Command child);
  Command& Does(std::function<Result<Exit>(Context&)> act);

  // "-f,--file" with a value that is read into `out`, which must live as long as the command. A default other than the
  // present value of `out` may be shown with Fallback().
  template <class T>
  Command& Option(std::string_view names, std::string value, T& out, std::string help) {
    return AddValue(names, std::move(value), out, std::move(help), false);
  }
  Command& Switch(std::string_view names, bool& out, std::string help);
  template <class T>
  Command& Argument(std::string value, T& out, std::string help) {
    return AddValue("", std::move(value), out, std::move(help), true);
  }
  // About the parameter that was added last.
  Command& Required();
  Command& Optional();
  Command& Fallback(std::string shown);
  Command& Completes(Names names);
  Command& Choices(std::vector<std::string> choices);

  const std::string& name() const noexcept { return name_; }
  const std::string& summary() const noexcept { return summary_; }
  const std::string& about() const noexcept { return about_; }
  const std::vector<ote::cli::Example>& examples() const noexcept { return examples_; }
  const std::vector<Exit>& exits() const noexcept { return exits_; }
  const std::vector<Parameter>& parameters() const noexcept { return parameters_; }
  const std::vector<Command>& children() const noexcept { return children_; }
  bool changes() const noexcept { return changes_; }
  const std::function<Result<Exit>(Context&)>& act() const noexcept { return act_; }
  const Command* Find(std::string_view child) const noexcept;

 private:
  template <class T>
  Command& AddValue(std::string_view names, std::string value, T& out, std::string help, bool required) {
    return AddParameter(names, std::move(value), std::move(help), ShowValue(out), ChoicesOf<T>(), kRepeats<T>, required,
                        [&out, first = true](const std::string& text) mutable {
                          // A list that is given replaces the list that is the default.
                          if constexpr (kRepeats<T>) {
                            if (first) out.clear();
                          }
                          first = false;
                          return ReadValue(text, out);
                        });
  }
  Command& AddParameter(std::string_view names, std::string value, std::string help, std::string fallback,
                        std::vector<std::string> choices, bool repeats, bool required,
                        std::function<Result<void>(const std::string&)> set);

  std::string name_;
  std::string summary_;
  std::string about_;
  std::vector<ote::cli::Example> examples_;
  std::vector<Exit> exits_;
  std::vector<Parameter> parameters_;
  std::vector<Command> children_;
  std::function<Result<Exit>(Context&)> act_;
  bool changes_ = false;
};

// The flags that every command has, bound to `flags`, which must outlive them; with those of changing commands when
// asked.
std::vector<Parameter> GlobalParameters(Globals& flags, bool changes);
// Those that `command` has: without the names that it gives to flags of its own.
std::vector<Parameter> GlobalParametersOf(const Command& command, Globals& flags);

}  // namespace ote::cli
