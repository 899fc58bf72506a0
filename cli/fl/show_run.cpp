// ote fl list, show and cancel.
#include "cli/fl/show_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/fl/commands.h"
#include "cli/frame/link.h"
#include "cli/frame/names.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/report/tally.h"
#include "core/base/units.h"

namespace ote::cli {
namespace {

struct NameOptions {
  std::string name;
};

std::string RoundsText(const api::Run& run) { return fmt::format("{} of {}", run.rounds.size(), run.planned_rounds); }

Result<Exit> List(Context& context) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(const api::RunList list, link.Ask<api::RunList>(api::verb::kFlList, api::Empty{}, context.Patience(kQuick)));
  const UnixMillis now = context.clock.WallNow();
  Table table({{"ID"},
               {"NAME"},
               {"STATUS"},
               {"DATA"},
               {"MODEL"},
               {"ROUNDS", false, true},
               {"METRICS"},
               {"STARTED"},
               {"DIGEST", true},
               {"MESSAGE", true}});
  std::vector<Json> items;
  std::vector<std::string> ids;
  for (const api::Run& run : list.items) {
    table.Add({run.id, run.spec.name == run.id ? "" : run.spec.name, std::string(NameOf(run.status)), run.spec.dataset,
               std::string(NameOf(run.spec.model.kind)), std::to_string(run.planned_rounds), MetricsText(run.metrics),
               Ago(run.created_at, now), Short(run.model.digest), run.message});
    items.push_back(ToJson(run));
    ids.push_back(run.id);
  }
  CacheNames(context, "run", ids);
  PrintList(context, items, table, ids);
  return Exit::kDone;
}

Result<Exit> Show(Context& context, const NameOptions& options) {
  OTE_TRY(const api::Run run, FetchRun(context, options.name));
  PrintOne(context, ToJson(run), RunText(run, context.clock.WallNow()), run.id);
  return Exit::kDone;
}

Result<Exit> Cancel(Context& context, const NameOptions& options) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  if (context.flags.dry_run) {
    Say(context, fmt::format("run {}: would be cancelled", options.name));
    return Exit::kDone;
  }
  OTE_CHECK(Confirm(context, fmt::format("cancel run {}", options.name)));
  OTE_TRY(const api::Run run,
          link.Ask<api::Run>(api::verb::kFlCancel, api::NameRequest{options.name}, context.Patience(kQuick)));
  Say(context, fmt::format("run {}: cancelled", run.id));
  PrintOne(context, ToJson(run), "", run.id);
  return Exit::kDone;
}

std::string FailuresTable(const api::Run& run) {
  const auto failures = TallyFailures(run);
  if (failures.empty()) return {};
  Table table({{"FAILED"}, {"PHASE"}, {"TIMES", false, true}, {"LAST IN", false, true}, {"CODE"}, {"WHY"}, {"HINT"}});
  for (const FailureTally& tally : failures) {
    const api::SiteFailure& last = tally.last;
    table.Add({last.name, last.phase, std::to_string(tally.count), std::to_string(tally.last_round), last.code,
               last.message, last.hint});
  }
  return "\n" + table.Text(true);
}

// What only some runs have: models of the sites' own, updates from older models, trainers that the sites brought.
std::string SitesTable(const api::Run& run) {
  const auto sites = TallySites(run);
  const auto any = [&](auto&& has) { return std::any_of(sites.begin(), sites.end(), has); };
  const bool personal = any([](const SiteTally& site) { return Measured(site.personal); });
  const bool stale = any([](const SiteTally& site) { return site.staleness > 0; });
  const bool trainer = any([](const SiteTally& site) { return !site.trainer.empty() && site.trainer != "builtin"; });
  if (!personal && !stale && !trainer) return {};
  Table table({{"CLUSTER"},
               {"ROUNDS", false, true},
               {"COMMON MODEL"},
               {"PERSONAL MODEL", !personal},
               {"STALENESS", !stale, true},
               {"TRAINER", !trainer}});
  for (const SiteTally& site : sites) {
    table.Add({site.name, std::to_string(site.took_part), MetricsText(site.metrics), MetricsText(site.personal),
               std::to_string(site.staleness), site.trainer});
  }
  return "\n" + table.Text(false);
}

std::string CheckpointsText(const api::Run& run) {
  std::vector<std::string> rounds;
  for (const api::Checkpoint& checkpoint : run.checkpoints) {
    rounds.push_back(fmt::format("round {} ({})", checkpoint.round, Short(checkpoint.digest)));
  }
  return Join(rounds, ", ");
}

std::string UpdatesText(const api::CompressionSpec& spec) {
  switch (spec.kind) {
    case api::CompressionKind::kNone:
      return {};
    case api::CompressionKind::kQuantize:
      return fmt::format("quantized to {} bits", spec.bits);
    case api::CompressionKind::kTopK:
      return fmt::format("top-k, {} of the values", spec.fraction);
  }
  return {};
}

}  // namespace

Result<api::Run> FetchRun(const Context& context, const std::string& name) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  return link.Ask<api::Run>(api::verb::kFlShow, api::NameRequest{name}, context.Patience(kQuick));
}

std::string MetricsText(const api::Metrics& m) {
  std::vector<std::string> parts;
  const auto add = [&](const char* name, const std::optional<double>& value) {
    if (value) parts.push_back(fmt::format("{} {}", name, Number(*value)));
  };
  add("accuracy", m.accuracy);
  add("auc", m.auc);
  add("rmse", m.rmse);
  add("loss", m.loss);
  return Join(parts, ", ");
}

std::string RelaysText(const api::Run& run) {
  if (run.spec.relays != api::RelayKind::kFold) return "";
  return run.spec.masks.kind == api::MaskKind::kNone ? "fold: they read updates, but those of sites that refuse"
                                                     : "fold: they add up masked updates, and read none of them";
}

std::string PrivacyText(const api::Run& run) {
  if (!run.privacy) return {};
  const api::PrivacyCost& cost = *run.privacy;
  std::string text = fmt::format("epsilon {:.4g} of {:.4g}, delta {:g}, {} noise", cost.epsilon, cost.planned_epsilon,
                                 cost.delta, NameOf(run.spec.privacy.kind));
  if (cost.within) text += fmt::format("; clipping to {:.4g}", cost.clip_norm);
  return text;
}

std::string RunText(const api::Run& run, UnixMillis now) {
  std::string text = FactsText({{"run", run.id},
                                {"name", run.spec.name == run.id ? "" : run.spec.name},
                                {"status", std::string(NameOf(run.status))},
                                {"message", run.message},
                                {"data", run.spec.dataset},
                                {"model", std::string(NameOf(run.spec.model.kind))},
                                {"rounds", RoundsText(run)},
                                {"best round", run.best_round == 0 ? "" : std::to_string(run.best_round)},
                                {"metrics", MetricsText(run.metrics)},
                                {"digest", run.model.digest},
                                {"privacy", PrivacyText(run)},
                                {"relays", RelaysText(run)},
                                {"updates", UpdatesText(run.spec.compression)},
                                {"from", run.from_digest},
                                {"checkpoints", CheckpointsText(run)},
                                {"resumed", run.resumed == 0 ? "" : fmt::format("{} times", run.resumed)},
                                {"started", Ago(run.created_at, now)},
                                {"ended", run.finished_at == 0 ? "" : Ago(run.finished_at, now)}});
  if (!run.rounds.empty()) {
    Table table({{"ROUND", false, true},
                 {"CLUSTERS"},
                 {"LEFT OUT"},
                 {"METRICS"},
                 {"SECONDS", false, true},
                 {"UP", false, true},
                 {"DOWN", false, true}});
    for (const api::Round& r : run.rounds) {
      table.Add({std::to_string(r.round), Join(r.participants), Join(r.left_out), MetricsText(r.metrics),
                 Number(r.seconds, 2), FormatSize(static_cast<std::uint64_t>(r.bytes_up)),
                 FormatSize(static_cast<std::uint64_t>(r.bytes_down))});
    }
    text += "\n" + table.Text(true);
  }
  text += SitesTable(run) + FailuresTable(run);
  if (!run.refused.empty()) {
    Table table({{"REFUSED"}, {"COUNT", false, true}, {"LAST FROM"}, {"WHY"}});
    for (const api::Refusal& r : run.refused) {
      table.Add({r.reason, std::to_string(r.count), r.last_cluster, r.last_message});
    }
    text += "\n" + table.Text(true);
  }
  return text;
}

std::optional<Error> OutcomeOf(const api::Run& run) {
  if (run.status == api::RunStatus::kCancelled) {
    return Error{ErrorId::kRunCancelled, fmt::format("run {}: cancelled", run.id), "ote fl show " + run.id};
  }
  if (run.status == api::RunStatus::kFailed) {
    return Error{ErrorId::kRunFailed, fmt::format("run {}: {}", run.id, run.message.empty() ? "failed" : run.message),
                 "ote fl logs " + run.id};
  }
  return std::nullopt;
}

Command ListRunsCommand() {
  Command c("list", "list the runs");
  c.About("The newest first. With -o json the rounds are left out; ote fl show has them.");
  c.Example("ote fl list", "for people");
  c.Example("ote fl list -o json", "for a program");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([](Context& context) { return List(context); });
  return c;
}

Command ShowRunCommand() {
  auto options = std::make_shared<NameOptions>();
  Command c("show", "print one run, round by round");
  c.About(
      "Who took part in each round and who was left out, how good the model was then, which clusters failed and why, "
      "and which updates were refused.");
  c.Argument("RUN", options->name, "the run's id or name").Completes(Names::kRun);
  c.Example("ote fl show run-7k2m9q4x0d", "for people");
  c.Example("ote fl show run-7k2m9q4x0d -o json", "for a program");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Does([options](Context& context) { return Show(context, *options); });
  return c;
}

Command CancelCommand() {
  auto options = std::make_shared<NameOptions>();
  Command c("cancel", "end a run before it is finished");
  c.About("The clusters that train for it stop. The models of its finished rounds are not registered.");
  c.Argument("RUN", options->name, "the run's id or name").Completes(Names::kRun);
  c.Example("ote fl cancel run-7k2m9q4x0d", "after a question");
  c.Example("ote fl cancel run-7k2m9q4x0d --yes", "in a script");
  c.Exits({Exit::kUnreachable, Exit::kConflict, Exit::kNotFound});
  c.Changes();
  c.Does([options](Context& context) { return Cancel(context, *options); });
  return c;
}

}  // namespace ote::cli
