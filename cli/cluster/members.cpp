#include "cli/cluster/members.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "cli/frame/names.h"
#include "cli/frame/pages.h"
#include "core/base/ids.h"

namespace ote::cli {

Result<std::vector<api::Cluster>> FetchMembers(const Context& context) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(auto items, (GatherPages<api::ClusterPage, std::vector<api::Cluster>>(
                          [&](const api::PageQuery& query) {
                            return link.Ask<api::ClusterPage>(api::verb::kClusterList, query, context.Patience(kQuick));
                          },
                          [](api::ClusterPage&& page, std::vector<api::Cluster>& all) {
                            std::ranges::move(page.items, std::back_inserter(all));
                          })));
  std::ranges::sort(items, {}, &api::Cluster::name);
  std::vector<std::string> names;
  for (api::Cluster& c : items) {
    c.certificate.reset();
    names.push_back(c.name);
  }
  CacheNames(context, "cluster", names);
  return items;
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
