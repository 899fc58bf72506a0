// ote trainer remove.
#include <fmt/format.h>

#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/trainer/commands.h"
#include "core/api/requests.h"

namespace ote::cli {
namespace {

struct NameOptions {
  std::string name;
};

Result<Exit> Remove(Context& context, const NameOptions& options) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  if (context.flags.dry_run) {
    Say(context, fmt::format("trainer {}: would no longer be registered", options.name));
    return Exit::kDone;
  }
  OTE_TRY(const api::Trainer trainer,
          link.Ask<api::Trainer>(api::verb::kTrainerRemove, api::NameRequest{options.name}, context.Patience(kQuick)));
  Say(context, fmt::format("trainer {}: no longer registered", trainer.name));
  PrintOne(context, ToJson(trainer), "", trainer.name);
  return Exit::kDone;
}

}  // namespace

Command RemoveTrainerCommand() {
  auto options = std::make_shared<NameOptions>();
  Command c("remove", "forget a trainer; its program stays as it is");
  c.About("A training that has begun with it goes on to its end. Later ones do without it.");
  c.Argument("NAME", options->name, "the trainer").Completes(Names::kTrainer);
  c.Example("ote trainer remove torch", "forget it");
  c.Example("ote trainer remove torch --dry-run", "say what would be done");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Changes();
  c.Does([options](Context& context) { return Remove(context, *options); });
  return c;
}

}  // namespace ote::cli
