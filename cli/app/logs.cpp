// ote app logs.
#include <fmt/format.h>

#include <ostream>

#include "cli/app/commands.h"
#include "cli/frame/interrupt.h"
#include "cli/frame/link.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "core/api/app_requests.h"

namespace ote::cli {
namespace {

Result<Exit> Logs(Context& context, const api::AppLogsRequest& options) {
  const Interruption interruption;
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  std::vector<Json> items;
  const bool text = context.flags.output == Format::kTable || context.flags.output == Format::kWide;
  const auto forever = std::chrono::milliseconds(std::chrono::hours(24 * 365));
  const auto over = link.Wire().Stream(
      api::verb::kAppLogs, ToJson(options), context.Patience(options.follow ? forever : kLong),
      [&](wire::Envelope&& item) -> Result<void> {
        OTE_TRY(const auto line, FromWire<api::AppLogLine>(item.body));
        // An empty one only asks whether we are there.
        if (line.text.empty() && line.replica.empty()) return {};
        if (context.flags.output == Format::kJsonl) {
          PrintLine(context, ToJson(line), false);
        } else if (text) {
          const auto time = context.flags.output == Format::kWide && line.at != 0 ? FormatTime(line.at) + " " : "";
          context.out << fmt::format("{}{}{}{}  {}\n", time, Printable(line.cluster), line.replica.empty() ? "" : "/",
                                     Printable(line.replica), Printable(line.text))
                      << std::flush;
        } else {
          items.push_back(ToJson(line));
        }
        return {};
      },
      interruption.Token());
  if (!over) {
    if (over.error().id == ErrorId::kInterrupted) return Exit::kInterrupted;
    return Fail(over.error());
  }
  if (context.flags.output == Format::kJsonl) {
    PrintLine(context, {{"app", options.app}}, true);
  } else if (!text) {
    PrintList(context, items, Table(), {});
  }
  return Exit::kDone;
}

}  // namespace

Command AppLogsCommand() {
  auto options = std::make_shared<api::AppLogsRequest>();
  Command c("logs", "what an app printed, on one cluster or on all of its");
  c.About(
      "The logs stay where they are made, and are fetched when asked for. With --follow new lines as they come, until "
      "Ctrl-C or --timeout.");
  c.Argument("APP", options->app, "the app's name, or FROM/APP at a cluster that has it from above");
  c.Switch("-f,--follow", options->follow, "wait for more");
  c.Option("--tail", "COUNT", options->tail, "lines of each cluster, up to 2000");
  c.Option("--cluster", "NAME", options->cluster, "only of this one").Completes(Names::kCluster);
  c.Option("--replica", "NAME", options->replica, "only of this process or pod");
  c.Example("ote app logs web --cluster clinic-a", "the last lines at one cluster");
  c.Example("ote app logs web -f --tail 10", "of all clusters, as they come");
  c.Exits({Exit::kTimedOut, Exit::kUnreachable, Exit::kNotFound, Exit::kInterrupted});
  c.Does([options](Context& context) { return Logs(context, *options); });
  return c;
}

}  // namespace ote::cli
