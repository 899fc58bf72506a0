#include "cli/cluster/members.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/frame/names.h"
#include "core/base/ids.h"

namespace ote::cli {

Result<std::vector<api::Cluster>> FetchMembers(const Context& context) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(api::ClusterList list,
          link.Ask<api::ClusterList>(api::verb::kClusterList, api::Empty{}, context.Patience(kQuick)));
  std::ranges::sort(list.items, {}, &api::Cluster::name);
  std::vector<std::string> names;
  for (api::Cluster& c : list.items) {
    c.certificate.reset();
    names.push_back(c.name);
  }
  CacheNames(context, "cluster", names);
  return std::move(list.items);
}

Result<api::Cluster> FindMember(const std::vector<api::Cluster>& members, const std::string& name) {
  std::vector<std::string_view> known;
  for (const api::Cluster& c : members) {
    if (c.name == name) return c;
    known.push_back(c.name);
  }
  const std::string_view near = Nearest(name, known);
  return Fail(
      ErrorId::kNotFound,
      fmt::format("cluster {}: not a member{}", name, near.empty() ? "" : fmt::format("; did you mean {}?", near)),
      "ote cluster list");
}

}  // namespace ote::cli
