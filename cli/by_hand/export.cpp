// ote fl export: the open round's task, as a file for a site that has no link.
#include <fmt/format.h>

#include "cli/by_hand/place.h"
#include "cli/by_hand/root.h"
#include "cli/fl/commands.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "core/api/by_hand.h"
#include "core/api/task_artifacts.h"
#include "core/bundle/bodies.h"

namespace ote::cli {
namespace {

struct ExportOptions {
  std::string run;
  std::string cluster;
  PlaceOptions place;
};

std::string Trips(std::int64_t trips) {
  return fmt::format("{} more trip{} each way, this one included", trips, trips == 1 ? "" : "s");
}

Result<bundle::Package> TaskOf(Context& context, AgentLink& link, const api::ExportReply& out) {
  bundle::Package package;
  auto& header = package.header;
  header = HeaderFrom(link.Member(), bundle::kind::kTask, out.cluster, out.receiver_key);
  header.stream = out.task.run;
  header.sequence = out.sequence;
  header.run = out.task.run;
  header.round = out.task.round;
  header.step = api::StepOf(out.task);
  header.nonce = out.nonce;
  header.created = out.created;
  header.revocations = out.revocations;
  package.body = ToJson(bundle::TaskBody{out.task, out.rounds, out.trips, out.seen, out.over, out.certificate});
  for (const auto& [digest, size] : api::ArtifactsOf(out.task)) {
    package.contents.push_back(AgentArtifact(context, link, digest, size));
  }
  return package;
}

Result<Exit> Export(Context& context, const ExportOptions& options) {
  crypto::Init();
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_CHECK(link.NeedsFolder("to seal a bundle"));
  api::ExportRequest ask{options.run, options.cluster, 0, {}, context.flags.dry_run};
  OTE_TRY(const auto out, link.Ask<api::ExportReply>(api::verb::kFlExport, ask, context.Patience(kQuick)));
  const std::string step(NameOf(out.task.kind));
  const Facts facts{{"run", out.task.run},
                    {"round", fmt::format("{} of {}, {}", out.task.round, out.rounds, step)},
                    {"for", out.cluster},
                    {"trips", Trips(out.trips)}};
  Json json{{"run", out.task.run}, {"round", out.task.round}, {"rounds", out.rounds},
            {"step", step},        {"cluster", out.cluster},  {"trips", out.trips}};
  if (context.flags.dry_run) {
    Say(context, "nothing was written");
    PrintOne(context, json, FactsText(facts), {});
    return Exit::kDone;
  }
  OTE_TRY(const auto place, PlaceOf(context, options.place, "ote fl export"));
  OTE_TRY(const auto sign, SignKeyOf(link));
  OTE_TRY(const auto package, TaskOf(context, link, out));
  OTE_TRY(const auto packed, bundle::Pack(package, sign, place, [&](const std::string& digest) -> Result<void> {
            // The agent knows of the file before it shows: what answers another is refused.
            auto confirm = ask;
            confirm.sequence = out.sequence;
            confirm.digest = digest;
            OTE_CHECK(link.Ask<api::ExportReply>(api::verb::kFlExport, confirm, context.Patience(kQuick)));
            return {};
          }));
  TellPacked(json, place, packed);
  Say(context, fmt::format("run {}: {} {}; {}", out.task.run, packed.already ? "the task is there already:" : "wrote",
                           PlacedText(packed), Trips(out.trips)));
  auto shown = facts;
  shown.emplace_back("task", place.path.string());
  PrintOne(context, json, FactsText(shown), place.path.string());
  Next(context, fmt::format("at the site: ote fl train {} -o FILE", place.path.filename().string()));
  return Exit::kDone;
}

}  // namespace

Command ExportTaskCommand() {
  auto options = std::make_shared<ExportOptions>();
  Command c("export", "write the open round's task to a file, to be carried to a site");
  c.About(
      "For a cluster that was admitted by files (ote cluster approve). The file is signed by the root and sealed to "
      "the site; it holds the task and the model, and tells how many trips the run still takes. The same task is the "
      "same file each time. The round waits for the answer until sites.handDeadline of the run.");
  c.Argument("RUN", options->run, "the run's id or name").Completes(Names::kRun);
  c.Option("--cluster", "NAME", options->cluster, "the site").Required().Completes(Names::kCluster);
  AddPlaceFlags(c, options->place, "the task");
  c.Example("ote fl export digits --cluster clinic-c -o round.task", "one file");
  c.Example("ote fl export digits --cluster clinic-c -o round.task --split 3900MiB", "in parts for a FAT stick");
  c.Exits({Exit::kFailed, Exit::kUnreachable, Exit::kConflict, Exit::kNotFound});
  c.Changes();
  c.Does([options](Context& context) { return Export(context, *options); });
  return c;
}

}  // namespace ote::cli
