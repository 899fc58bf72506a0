// ote model tag and remove.
#include <fmt/format.h>

#include "cli/frame/link.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/model/commands.h"

namespace ote::cli {
namespace {

struct TagOptions {
  std::string model;
  std::string tag;
  bool remove = false;
};

struct RemoveOptions {
  std::string model;
  bool force = false;
};

Result<Exit> Tag(Context& context, const TagOptions& options) {
  OTE_CHECK(api::CheckTag(options.tag));
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  api::ModelEntry entry;
  if (context.flags.dry_run) {
    OTE_TRY(entry, link.Ask<api::ModelEntry>(api::verb::kModelShow, api::NameRequest{options.model},
                                             context.Patience(kQuick)));
    Say(context, "nothing was tagged");
  } else {
    const api::ModelTagRequest request{options.model, options.tag, options.remove};
    OTE_TRY(entry, link.Ask<api::ModelEntry>(api::verb::kModelTag, request, context.Patience(kQuick)));
  }
  PrintOne(context, ToJson(entry), fmt::format("{}\t{}\n", entry.Key(), Join(entry.tags, ", ")), entry.Key());
  return Exit::kDone;
}

Result<Exit> Remove(Context& context, const RemoveOptions& options) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(api::ModelEntry entry,
          link.Ask<api::ModelEntry>(api::verb::kModelShow, api::NameRequest{options.model}, context.Patience(kQuick)));
  if (context.flags.dry_run) {
    Say(context, "nothing was removed");
  } else {
    OTE_CHECK(Confirm(context, fmt::format("remove model {} ({})?", entry.Key(), Short(entry.digest))));
    // By its version: another may have become the newest while the question stood.
    const api::ModelRemoveRequest request{entry.Key(), options.force};
    OTE_TRY(entry, link.Ask<api::ModelEntry>(api::verb::kModelRemove, request, context.Patience(kQuick)));
  }
  PrintOne(context, ToJson(entry), entry.Key() + "\n", entry.Key());
  return Exit::kDone;
}

}  // namespace

Command TagModelCommand() {
  auto options = std::make_shared<TagOptions>();
  Command c("tag", "give a version of a model a tag");
  c.About(
      "A tag stands for one version of a name at a time: given to another version, it moves. NAME alone tags the "
      "newest "
      "version, and with --remove takes the tag from whichever version has it.");
  c.Argument("MODEL", options->model, kModelHelp).Completes(Names::kModel);
  c.Argument("TAG", options->tag, "the tag, such as production");
  c.Switch("--remove", options->remove, "take the tag away");
  c.Example("ote model tag digits@3 production", "version 3 is what is in use from now on");
  c.Example("ote model tag digits production --remove", "none is");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Changes();
  c.Does([options](Context& context) { return Tag(context, *options); });
  return c;
}

Command RemoveModelCommand() {
  auto options = std::make_shared<RemoveOptions>();
  Command c("remove", "forget a version of a model");
  c.About(
      "One version: NAME alone is the newest. Its file goes with it, unless a run or another version needs it. A "
      "version that carries a tag stays, unless --force is given. Its number is not given again.");
  c.Argument("MODEL", options->model, kModelHelp).Completes(Names::kModel);
  c.Switch("--force", options->force, "also when it carries a tag");
  c.Example("ote model remove digits@1 --yes", "the first version");
  c.Example("ote model remove digits --dry-run", "which one that would be");
  c.Exits({Exit::kUnreachable, Exit::kConflict, Exit::kNotFound, Exit::kInterrupted});
  c.Changes();
  c.Does([options](Context& context) { return Remove(context, *options); });
  return c;
}

}  // namespace ote::cli
