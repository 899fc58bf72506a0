// ote cluster label: k=v sets, k- takes away.
#include <fmt/format.h>

#include "cli/cluster/commands.h"
#include "cli/cluster/members.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"

namespace ote::cli {
namespace {

struct LabelOptions {
  std::string name;
  std::vector<std::string> changes;
};

Result<Exit> Label(Context& context, const LabelOptions& options) {
  api::LabelRequest request;
  request.name = options.name;
  for (const std::string& change : options.changes) {
    if (change.size() > 1 && change.back() == '-' && change.find('=') == std::string::npos) {
      request.unset.push_back(change.substr(0, change.size() - 1));
    } else {
      OTE_TRY(auto label, api::ParseLabel(change));
      request.set.insert(std::move(label));
    }
  }
  if (context.flags.dry_run) {
    OTE_TRY(const auto members, FetchMembers(context));
    OTE_CHECK(FindMember(members, options.name));
    Say(context, fmt::format("cluster {}: its labels would be changed", options.name));
    return Exit::kDone;
  }
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(api::Cluster cluster, link.Ask<api::Cluster>(api::verb::kClusterLabel, request, context.Patience(kQuick)));
  cluster.certificate.reset();
  std::vector<std::string> labels;
  for (const auto& [key, value] : cluster.labels) labels.push_back(key + "=" + value);
  PrintOne(context, ToJson(cluster), FactsText({{"name", cluster.name}, {"labels", Join(labels)}}), cluster.name);
  return Exit::kDone;
}

}  // namespace

Command LabelCommand() {
  auto options = std::make_shared<LabelOptions>();
  Command c("label", "set or take away labels of a cluster");
  c.About("Labels choose clusters for runs. Setting a label to the value that it has changes nothing and succeeds.");
  c.Argument("NAME", options->name, "the cluster").Completes(Names::kCluster);
  c.Argument("CHANGE", options->changes, "KEY=VALUE sets a label, KEY- takes it away");
  c.Example("ote cluster label clinic-a region=eu tier=edge", "set two");
  c.Example("ote cluster label clinic-a tier-", "take one away");
  c.Exits({Exit::kUnreachable, Exit::kNotFound});
  c.Changes();
  c.Does([options](Context& context) { return Label(context, *options); });
  return c;
}

}  // namespace ote::cli
