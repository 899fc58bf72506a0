// ote fl train: a task that was carried to this site. No agent, no network, no root rights.
#include <fmt/format.h>

#include "cli/by_hand/place.h"
#include "cli/fl/commands.h"
#include "cli/frame/interrupt.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/frame/settings.h"
#include "core/base/units.h"
#include "core/site/by_hand/hand_site.h"

namespace ote::cli {
namespace {

struct TrainOptions {
  std::filesystem::path file;
  PlaceOptions place;
  bool check_dates = false;
  bool restored = false;
  bool tell_failure = false;
};

std::string Leaves(const api::Task& task) {
  switch (task.kind) {
    case api::TaskKind::kEvaluate:
      return "how good the model is on the rows that are held out; no row and no update";
    case api::TaskKind::kSurvey:
      return "statistics of the columns, over all rows; no row";
    default:
      return "what training changed in the model, its loss, how good the given model is on the rows that are held out, "
             "and counts; no row";
  }
}

Facts PlanFacts(const site::HandSite::Plan& plan) {
  const auto& task = plan.body.task;
  const auto& data = plan.file.dataset;
  std::string what(NameOf(task.kind));
  if (task.kind == api::TaskKind::kTrain) {
    what += fmt::format(" {}, {} epoch{}", NameOf(task.model.kind), task.training.epochs,
                        task.training.epochs == 1 ? "" : "s");
  }
  return {{"from", plan.issuer.name},
          {"run", task.run},
          {"round", fmt::format("{} of {}", task.round, plan.body.rounds)},
          {"does", what},
          {"on", fmt::format("{}: {} rows to train on, {} held out", data.name, data.train_rows, data.test_rows)},
          {"model", task.model_digest.empty() ? "" : FormatSize(static_cast<std::uint64_t>(task.model_size))},
          {"leaves", Leaves(task)},
          {"trips", fmt::format("{} left, this one included", plan.body.trips)}};
}

Result<Exit> Train(Context& context, const TrainOptions& options) {
  crypto::Init();
  const Interruption interruption;
  OTE_TRY(const ChosenState chosen, ChooseState(context));
  OTE_TRY(auto task, OpenWhole(context, options.file));
  OTE_TRY(auto site, site::HandSite::Open(store::StateFolder{chosen.path}, context.clock));
  site::HandSite::Trust trust;
  trust.restored = options.restored;
  if (options.check_dates) trust.dates = context.clock.WallNow();
  OTE_TRY(const auto plan, site.ReadTask(task, trust));
  const auto facts = PlanFacts(plan);
  const auto& asked = plan.body.task;
  Json json{{"run", asked.run},           {"round", asked.round},       {"rounds", plan.body.rounds},
            {"step", NameOf(asked.kind)}, {"issuer", plan.issuer.name}, {"dataset", asked.dataset},
            {"trips", plan.body.trips},   {"task", plan.bundle.digest}};
  if (context.flags.dry_run) {
    Say(context, "nothing was trained");
    PrintOne(context, json, FactsText(facts), {});
    return Exit::kDone;
  }
  OTE_TRY(const auto place, PlaceOf(context, options.place, "ote fl train"));
  if (!context.flags.quiet && !plan.answered) {
    // What is about to be done, before it is: on standard error, as all that is not the result.
    context.err << FactsText(facts) << std::flush;
  }
  OTE_TRY(const auto trained, site.Train(task, plan, place, options.tell_failure, interruption.Token()));
  Say(context, fmt::format("run {}, round {}: {}; {} {}", asked.run, asked.round,
                           trained.already        ? "this task was done before, and this is its answer"
                           : trained.offer.failed ? "failed, and the update says so"
                                                  : "done",
                           trained.file.already ? "there already:" : "wrote", PlacedText(trained.file)));
  json["file"] = place.path.string();
  json["digest"] = trained.file.digest;
  json["already"] = trained.already;
  json["failed"] = trained.offer.failed;
  json["examples"] = trained.offer.examples;
  json["trainLoss"] = trained.offer.train_loss;
  json["metrics"] = ToJson(trained.offer.metrics);
  PrintOne(context, json,
           FactsText({{"update", place.path.string()},
                      {"examples", std::to_string(trained.offer.examples)},
                      {"loss", asked.kind == api::TaskKind::kTrain ? Number(trained.offer.train_loss) : ""}}),
           place.path.string());
  Next(context, fmt::format("at the root: ote fl import {}", place.path.filename().string()));
  return Exit::kDone;
}

}  // namespace

Command TrainTaskCommand() {
  auto options = std::make_shared<TrainOptions>();
  Command c("train", "do a task that was carried to this site, and write the update");
  c.About(
      "Needs no agent and no network, and reads the task where it lies, also from a medium that cannot be written to. "
      "Checks that the root signed it, for this cluster, later than what was done before; shows what will be done on "
      "which data and what leaves the site; does it; and writes an update that only the root can read. The same task "
      "again writes the same update. Dates are looked at only with --check-dates, since clocks at such sites are "
      "wrong. When the agent of the state folder runs, it must be stopped first.");
  c.Argument("FILE", options->file, "the task").Completes(Names::kFile);
  AddPlaceFlags(c, options->place, "the update");
  c.Switch("--check-dates", options->check_dates, "this clock is right: refuse certificates that have ended");
  c.Switch("--restored", options->restored, "this folder was restored from a copy: go on from what the root has");
  c.Switch("--tell-failure", options->tell_failure, "when training fails, write an update that tells the root");
  c.Example("ote fl train round.task -o round.update", "train, and write the update");
  c.Example("ote fl train round.task --dry-run", "say what would be done, and what would leave the site");
  c.Exits({Exit::kFailed, Exit::kRefused, Exit::kConflict, Exit::kNotFound, Exit::kVerification, Exit::kInterrupted});
  c.Changes();
  c.Does([options](Context& context) { return Train(context, *options); });
  return c;
}

}  // namespace ote::cli
