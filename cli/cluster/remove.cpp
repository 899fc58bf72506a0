// ote cluster remove: revoke a member.
#include <fmt/format.h>

#include "cli/cluster/commands.h"
#include "cli/cluster/members.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"

namespace ote::cli {
namespace {

struct RemoveOptions {
  std::string name;
};

Result<Exit> Remove(Context& context, const RemoveOptions& options) {
  OTE_TRY(const auto members, FetchMembers(context));
  OTE_CHECK(FindMember(members, options.name));
  if (context.flags.dry_run) {
    Say(context, fmt::format("cluster {}: would be removed, and its certificate revoked", options.name));
    return Exit::kDone;
  }
  OTE_CHECK(Confirm(context, fmt::format("remove cluster {} and revoke its certificate", options.name)));
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(api::Cluster cluster,
          link.Ask<api::Cluster>(api::verb::kClusterRemove, api::NameRequest{options.name}, context.Patience(kQuick)));
  cluster.certificate.reset();
  Say(context, fmt::format("cluster {}: removed", options.name));
  PrintOne(context, ToJson(cluster), "", cluster.name);
  return Exit::kDone;
}

}  // namespace

Command RemoveClusterCommand() {
  auto options = std::make_shared<RemoveOptions>();
  Command c("remove", "remove a cluster from the tree and revoke its certificate");
  c.About(
      "The cluster is cut off at once, and its certificate is void from then on everywhere in the tree. Its data and "
      "its state folder stay as they are. To take it back, make a token and join again. At a relay: one that joined "
      "below it, if the root is reached.");
  c.Argument("NAME", options->name, "the cluster").Completes(Names::kCluster);
  c.Example("ote cluster remove clinic-a", "after a question");
  c.Example("ote cluster remove clinic-a --yes", "in a script");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Changes();
  c.Does([options](Context& context) { return Remove(context, *options); });
  return c;
}

}  // namespace ote::cli
