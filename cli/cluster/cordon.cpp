// ote cluster cordon, uncordon and drain.
#include <fmt/format.h>

#include "cli/cluster/commands.h"
#include "cli/cluster/members.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "core/api/app_requests.h"

namespace ote::cli {
namespace {

Result<Exit> Cordon(Context& context, const api::CordonRequest& request, std::string_view done) {
  if (context.flags.dry_run) {
    OTE_TRY(const auto members, FetchMembers(context));
    OTE_CHECK(FindMember(members, request.name));
    Say(context, fmt::format("cluster {}: would be {}", request.name, done));
    return Exit::kDone;
  }
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(const auto cluster, link.Ask<api::Cluster>(api::verb::kClusterCordon, request, context.Patience(kQuick)));
  if (cluster.cordoned && !request.cordoned) {
    Warn(context, fmt::format("cluster {}: a tier below says that it takes no new apps", cluster.name),
         "ote cluster uncordon " + cluster.name + " at its own parent, " + cluster.parent);
  } else {
    Say(context, fmt::format("cluster {}: {}", cluster.name, done));
  }
  PrintOne(context, ToJson(cluster),
           FactsText({{"name", cluster.name},
                      {"cordoned", cluster.cordoned ? "yes" : "no"},
                      {"drained", cluster.drained ? "yes" : "no"}}),
           cluster.name);
  if (cluster.drained) Next(context, "ote app list");
  return Exit::kDone;
}

Command Make(const char* name, const char* summary, const char* about, bool cordoned, bool drained, const char* done) {
  auto request = std::make_shared<api::CordonRequest>();
  request->cordoned = cordoned;
  request->drained = drained;
  Command c(name, summary);
  c.About(about);
  c.Argument("NAME", request->name, "the cluster").Completes(Names::kCluster);
  c.Example(fmt::format("ote cluster {} clinic-a", name), done);
  c.Example(fmt::format("ote cluster {} clinic-a --dry-run", name), "whether it is a member");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Changes();
  c.Does([request, done](Context& context) { return Cordon(context, *request, done); });
  return c;
}

}  // namespace

Command CordonCommand() {
  return Make("cordon", "give a cluster no more apps",
              "It keeps those that it has. Apps that are asked for on a number of clusters go elsewhere. It may be any "
              "cluster below the agent that is asked, and holds for the apps that are deployed from there.",
              true, false, "it takes no new apps");
}
Command UncordonCommand() {
  return Make("uncordon", "let a cluster have apps again", "Ends what cordon and drain began.", false, false,
              "it takes apps again");
}
Command DrainCommand() {
  return Make("drain", "take the apps of a cluster away, and give it no more",
              "Apps that are asked for on a number of clusters move to others; the rest is stopped there until "
              "uncordon.",
              true, true, "it gives up its apps");
}

}  // namespace ote::cli
