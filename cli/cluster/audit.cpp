// ote cluster audit: who asked this agent for what.
#include "core/api/audit.h"

#include <fmt/format.h>

#include "cli/cluster/commands.h"
#include "cli/frame/link.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "core/api/verbs.h"

namespace ote::cli {
namespace {

struct AuditOptions {
  std::optional<std::chrono::milliseconds> since;
  std::string who;
  std::string verb;
  std::int64_t limit = 100;
};

Result<Exit> Audit(Context& context, const AuditOptions& options) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  const UnixMillis now = context.clock.WallNow();
  api::AuditQuery query;
  if (options.since) query.since = std::max<UnixMillis>(0, now - options.since->count());
  query.who = options.who;
  query.verb = options.verb;
  query.limit = options.limit;
  OTE_TRY(const auto list, link.Ask<api::AuditList>(api::verb::kClusterAudit, query, context.Patience(kQuick)));
  Table table({{"WHEN"},
               {"WHO"},
               {"ROLE"},
               {"WHAT"},
               {"ABOUT"},
               {"OUTCOME"},
               {"CODE"},
               {"NUMBER", true, true},
               {"REQUEST", true},
               {"COMMAND", true}});
  std::vector<Json> items;
  std::vector<std::string> names;
  for (const auto& entry : list.items) {
    table.Add({FormatTime(entry.at), entry.who, entry.role, entry.verb, Join(entry.targets),
               std::string(NameOf(entry.outcome)), entry.code, std::to_string(entry.number), entry.request_id,
               entry.command});
    items.push_back(ToJson(entry));
    names.push_back(std::to_string(entry.number));
  }
  if (context.Json() || context.flags.output == Format::kYaml) {
    PrintOne(context, ToJson(list), "", "");
  } else {
    PrintList(context, items, table, names);
  }
  if (list.dropped > 0) Say(context, fmt::format("the {} oldest entries had to make room", list.dropped));
  if (list.unwritten > 0)
    Warn(context, fmt::format("{} entries could not be written", list.unwritten), "see the log of the agent");
  if (!list.intact) {
    return Fail(ErrorId::kRecordBroken,
                fmt::format("the audit of {} does not hold: {}", link.Member().name, list.broken),
                "somebody, or something, changed the agent's store");
  }
  return Exit::kDone;
}

}  // namespace

Command AuditCommand() {
  auto options = std::make_shared<AuditOptions>();
  Command c("audit", "list who asked the agent for what, and how it ended");
  c.About(
      "Each request that changes something or was refused, and each command that was executed for an operator, as this "
      "agent saw them; every agent has its own. Requests that only read are there when the agent was told to write "
      "them down (ote-agent --audit-reads). The newest 20,000 are kept, each with the digest of the one before: an "
      "entry that was changed or taken out shows, and the command fails.");
  c.Option("--since", "DURATION", options->since, "only what happened within that time, as in 1h");
  c.Option("--who", "NAME", options->who, "only this operator's; local is the one at the agent's machine");
  c.Option("--verb", "VERB", options->verb, "only this verb of ote-protocol(7), as in cluster.remove");
  c.Option("--limit", "N", options->limit, "at most this many, the newest");
  c.Example("ote cluster audit --since 24h", "what happened in the last day");
  c.Example("ote cluster audit --who kim -o json", "what kim did, for a program");
  c.Exits({Exit::kRefused, Exit::kUnreachable, Exit::kNotFound, Exit::kVerification});
  c.Does([options](Context& context) { return Audit(context, *options); });
  return c;
}

}  // namespace ote::cli
