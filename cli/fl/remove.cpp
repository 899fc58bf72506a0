// ote fl remove.
#include <fmt/format.h>

#include "cli/fl/commands.h"
#include "cli/frame/link.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "core/api/run_remove.h"
#include "core/base/units.h"

namespace ote::cli {
namespace {

struct RemoveOptions {
  std::string run;
  bool updates = false;
};

std::string Amount(const api::RunRemoved& removed) {
  return fmt::format("{} artifact{}, {}", removed.artifacts, removed.artifacts == 1 ? "" : "s",
                     FormatSize(static_cast<std::uint64_t>(removed.bytes)));
}

Result<Exit> Remove(Context& context, const RemoveOptions& options) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  api::RunRemoveRequest ask{options.run, options.updates, true};
  // What would go, first: it is also refused here when the run has not ended.
  OTE_TRY(auto removed, link.Ask<api::RunRemoved>(api::verb::kFlRemove, ask, context.Patience(kLong)));
  const auto print = [&] {
    PrintOne(context, ToJson(removed),
             FactsText({{"run", removed.id},
                        {"name", removed.name},
                        {"artifacts", std::to_string(removed.artifacts)},
                        {"size", FormatSize(static_cast<std::uint64_t>(removed.bytes))}}),
             removed.id);
  };
  const std::string what = options.updates ? "what its record keeps of it" : "the run and its record";
  if (context.flags.dry_run) {
    Say(context, fmt::format("run {}: {} would go: {}", removed.name, what, Amount(removed)));
    print();
    return Exit::kDone;
  }
  if (removed.already) {
    Say(context, fmt::format("run {}: its record keeps no updates", removed.name));
    print();
    return Exit::kDone;
  }
  OTE_CHECK(Confirm(
      context, options.updates
                   ? fmt::format("remove the updates that run {} keeps ({}); its aggregates cannot be "
                                 "made again then",
                                 removed.name, Amount(removed))
                   : fmt::format("remove run {}, its record and its history ({})", removed.name, Amount(removed))));
  ask.dry_run = false;
  OTE_TRY(removed, link.Ask<api::RunRemoved>(api::verb::kFlRemove, ask, context.Patience(kLong)));
  Say(context, fmt::format("run {}: removed {}: {}", removed.name, what, Amount(removed)));
  print();
  if (options.updates) Next(context, "ote fl verify " + removed.name);
  return Exit::kDone;
}

}  // namespace

Command RemoveRunCommand() {
  auto options = std::make_shared<RemoveOptions>();
  Command c("remove", "remove a run that has ended, or the updates that it keeps");
  c.About(
      "Takes away all that the root holds of the run: what ote fl show and logs tell, its record, what a run that "
      "failed would be resumed from, and the artifacts that nothing else needs. A model that was registered stays in "
      "the registry. With --updates only what the record keeps to make its aggregates again (record.updates in the run "
      "file) goes: the record stays, and ote fl verify checks its chain and its signatures. A run that goes on is "
      "refused: ote fl cancel ends it.");
  c.Argument("RUN", options->run, "the run's id or name").Completes(Names::kRun);
  c.Switch("--updates", options->updates, "only the updates that it keeps");
  c.Example("ote fl remove digits-run --dry-run", "how much would go");
  c.Example("ote fl remove digits-run --updates --yes", "keep the record, and not what it was made from");
  c.Exits({Exit::kFailed, Exit::kUnreachable, Exit::kConflict, Exit::kNotFound});
  c.Changes();
  c.Does([options](Context& context) { return Remove(context, *options); });
  return c;
}

}  // namespace ote::cli
