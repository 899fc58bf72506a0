// ote trainer show.
#include <fmt/format.h>

#include "cli/frame/output.h"
#include "cli/trainer/commands.h"
#include "core/base/ids.h"

namespace ote::cli {
namespace {

struct NameOptions {
  std::string name;
};

Result<Exit> Show(Context& context, const NameOptions& options) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(const auto trainers, FetchTrainers(context, link));
  std::vector<std::string_view> known;
  for (const api::Trainer& t : trainers) {
    if (t.name == options.name) {
      PrintOne(context, ToJson(t), TrainerText(t), t.name);
      return Exit::kDone;
    }
    known.push_back(t.name);
  }
  const std::string_view near = Nearest(options.name, known);
  return Fail(ErrorId::kNotFound,
              fmt::format("trainer {}: not registered at {}{}", options.name, link.Member().name,
                          near.empty() ? "" : fmt::format("; did you mean {}?", near)),
              "ote trainer list");
}

}  // namespace

Command ShowTrainerCommand() {
  auto options = std::make_shared<NameOptions>();
  Command c("show", "print one trainer of this site");
  c.About("Its command, its limits, what it is for, and whether it runs in a sandbox here.");
  c.Argument("NAME", options->name, "the trainer").Completes(Names::kTrainer);
  c.Example("ote trainer show torch", "for people");
  c.Example("ote trainer show torch -o json", "for a program");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([options](Context& context) { return Show(context, *options); });
  return c;
}

}  // namespace ote::cli
