// ote fl run, watch and logs.
#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "cli/fl/commands.h"
#include "cli/fl/failures.h"
#include "cli/fl/follow.h"
#include "cli/fl/show_run.h"
#include "cli/frame/interrupt.h"
#include "cli/frame/link.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"

namespace ote::cli {
namespace {

struct WatchOptions {
  std::string run;
};
struct LogsOptions {
  std::string run;
  std::string cluster;
  std::int64_t bytes = 65'536;
  bool follow = false;
};

Result<Exit> Watch(Context& context, const WatchOptions& options) {
  OTE_TRY(const api::Run known, FetchRun(context, options.run));
  OTE_TRY(const api::Run run, FollowRun(context, options.run, known.planned_rounds));
  return FinishRun(context, run);
}

std::string LogLine(const api::RunEvent& event) {
  const std::string what = CauseText({event.cluster, event.phase, event.code, event.message, {}});
  std::string line = fmt::format("{}  {:>3}  {:<22}  {}{}\n", FormatTime(event.at), event.round, event.kind,
                                 event.cluster.empty() ? "" : event.cluster + ": ", Printable(what));
  if (!event.hint.empty()) line += fmt::format("{:>55}hint: {}\n", "", Printable(event.hint));
  return line;
}

// What the trainer of a site printed, line by line.
Result<Exit> Output(Context& context, AgentLink& link, const LogsOptions& options) {
  OTE_TRY(
      const api::OutputTail tail,
      link.Ask<api::OutputTail>(api::verb::kFlOutput, api::OutputRequest{options.run, options.cluster, options.bytes},
                                context.Patience(kQuick)));
  std::string text;
  std::string_view rest = tail.text;
  // The first line of a part may be half a line.
  if (tail.cut) rest.remove_prefix(std::min(rest.size(), rest.find('\n') + 1));
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    text += Printable(rest.substr(0, end)) + "\n";
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  PrintOne(context, ToJson(tail), text, tail.run);
  return Exit::kDone;
}

Result<Exit> Logs(Context& context, const LogsOptions& options) {
  const Interruption interruption;
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  // A site keeps no history of runs: what its own trainer printed is all that it knows.
  if (!options.cluster.empty() || !link.IsRoot()) {
    if (options.follow) return Fail(ErrorId::kUsage, "--follow: not for what a trainer printed");
    return Output(context, link, options);
  }
  std::vector<Json> events;
  const bool lines = context.flags.output == Format::kTable || context.flags.output == Format::kWide;
  auto last = link.Wire().Stream(
      api::verb::kFlWatch, ToJson(api::WatchRequest{options.run, 0, options.follow}),
      context.Patience(options.follow ? std::chrono::milliseconds(std::chrono::hours(24 * 365)) : kLong),
      [&](wire::Envelope&& item) -> Result<void> {
        OTE_TRY(const api::RunEvent event, FromWire<api::RunEvent>(item.body));
        if (context.flags.output == Format::kJsonl) {
          PrintLine(context, ToJson(event), false);
        } else if (lines) {
          context.out << LogLine(event) << std::flush;
        } else {
          events.push_back(ToJson(event));
        }
        return {};
      },
      interruption.Token());
  if (!last) return Fail(std::move(last).error());
  OTE_TRY(const api::Run run, FromWire<api::Run>(last->body));
  if (context.flags.output == Format::kJsonl) {
    PrintLine(context, {{"id", run.id}, {"status", NameOf(run.status)}, {"message", run.message}}, true);
  } else if (!lines) {
    PrintList(context, events, Table(), {});
  }
  return Exit::kDone;
}

}  // namespace

namespace {

Result<Exit> Resume(Context& context, const RunOptions& options) {
  if (!options.flags.file.empty() || options.flags.dataset || !options.flags.set.empty()) {
    return Fail(ErrorId::kUsage, "--resume: a run goes on as it was begun, and no other setting can be given",
                "ote fl run --resume " + options.resume);
  }
  if (context.flags.dry_run) {
    Say(context, fmt::format("run {}: would be taken up where it stopped", options.resume));
    return Exit::kDone;
  }
  api::Run run;
  {
    OTE_TRY(AgentLink link, AgentLink::Open(context));
    OTE_TRY(run, link.Ask<api::Run>(api::verb::kFlResume, api::NameRequest{options.resume}, context.Patience(kQuick)));
  }
  if (run.status == api::RunStatus::kFinished) Say(context, fmt::format("run {}: it has finished already", run.id));
  if (options.detach) {
    PrintOne(context, ToJson(run), run.id + "\n", run.id);
    Next(context, "ote fl watch " + run.id);
    return Exit::kDone;
  }
  OTE_TRY(const api::Run ended, FollowRun(context, run.id, run.planned_rounds));
  return FinishRun(context, ended);
}

}  // namespace

Result<Exit> RunFl(Context& context, const RunOptions& options) {
  if (!options.resume.empty()) return Resume(context, options);
  OTE_TRY(const api::RunSpec spec, ReadRun(context, options.flags));
  api::Run run;
  {
    OTE_TRY(AgentLink link, AgentLink::Open(context));
    api::StartRequest request;
    request.spec = spec;
    request.request_id = context.flags.request_id;
    request.dry_run = context.flags.dry_run;
    OTE_TRY(run, link.Ask<api::Run>(api::verb::kFlStart, request, context.Patience(kQuick)));
  }
  if (context.flags.dry_run) {
    Say(context, run.message.empty() ? "the run could start" : run.message);
    PrintOne(context, ToJson(run), "", run.id);
    return Exit::kDone;
  }
  if (options.detach) {
    Say(context, fmt::format("run {}: started", run.id));
    PrintOne(context, ToJson(run), run.id + "\n", run.id);
    Next(context, "ote fl watch " + run.id);
    return Exit::kDone;
  }
  OTE_TRY(const api::Run ended, FollowRun(context, run.id, run.planned_rounds));
  auto exit = FinishRun(context, ended);
  if (exit) Next(context, "ote model export " + ended.id);
  return exit;
}

Command RunCommandOfFl() {
  auto options = std::make_shared<RunOptions>();
  Command c("run", "start a run, show its progress, and wait for its model");
  c.About(
      "What is trained stands in a run file or in flags; flags win. The command ends with the run: with status 0 "
      "when it finished, 1 when it failed. Ctrl-C and --timeout end the wait, not the run, and print the command to "
      "come back.");
  AddRunFlags(c, options->flags);
  c.Option("--resume", "RUN", options->resume, "take up a run that failed or was cancelled where it stopped")
      .Completes(Names::kRun);
  c.Switch("--detach", options->detach, "return at once with the run's id");
  c.Example("ote fl run -f run.yaml", "as the file says");
  c.Example("ote fl run --dataset digits --model mlp --rounds 20", "by flags alone");
  c.Example("ote fl run --resume run-7k2m9q4x0d", "go on with one that was cancelled");
  c.Exits({Exit::kFailed, Exit::kTimedOut, Exit::kUnreachable, Exit::kConflict, Exit::kNotFound, Exit::kInterrupted});
  c.Changes();
  c.Does([options](Context& context) { return RunFl(context, *options); });
  return c;
}

Command WatchCommand() {
  auto options = std::make_shared<WatchOptions>();
  Command c("watch", "come back to a run: show its progress and wait for its end");
  c.About("Ends with the status of the run, as ote fl run does. For a run that is over it prints the result at once.");
  c.Argument("RUN", options->run, "the run's id or name").Completes(Names::kRun);
  c.Example("ote fl watch run-7k2m9q4x0d", "until it is over");
  c.Example("ote fl watch run-7k2m9q4x0d --timeout 5m -o jsonl", "five minutes of events, for a program");
  c.Exits({Exit::kFailed, Exit::kTimedOut, Exit::kUnreachable, Exit::kNotFound, Exit::kInterrupted});
  c.Does([options](Context& context) { return Watch(context, *options); });
  return c;
}

Command LogsCommand() {
  auto options = std::make_shared<LogsOptions>();
  Command c("logs", "print what happened in a run, step by step");
  c.About(
      "Every task, update, refusal and departure, in order. With --follow new ones as they come, until the run is "
      "over. With --cluster what the trainer of that cluster's own printed, which the cluster keeps; at a cluster "
      "what its own one did.");
  c.Argument("RUN", options->run, "the run's id or name").Completes(Names::kRun);
  c.Switch("-f,--follow", options->follow, "wait for more");
  c.Option("--cluster", "NAME", options->cluster, "what the trainer of this cluster's own printed")
      .Completes(Names::kCluster);
  c.Option("--bytes", "COUNT", options->bytes, "with --cluster: how much of its end, up to 262144");
  c.Example("ote fl logs run-7k2m9q4x0d", "so far");
  c.Example("ote fl logs run-7k2m9q4x0d -f", "to the end");
  c.Example("ote fl logs run-7k2m9q4x0d --cluster clinic-a", "what the trainer at a cluster printed");
  c.Exits({Exit::kUnreachable, Exit::kNotFound, Exit::kInterrupted});
  c.Does([options](Context& context) { return Logs(context, *options); });
  return c;
}

}  // namespace ote::cli
