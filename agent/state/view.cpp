#include "agent/state/view.h"

#include <fmt/format.h>

#include <algorithm>

namespace ote::agent {

Result<api::ClusterView> ViewCluster(const std::string& name, const Members& members, const State& state,
                                     const Commands& commands) {
  auto all = members.List();
  const auto found = std::ranges::find(all, name, &api::Cluster::name);
  if (found == all.end()) {
    return Fail(ErrorId::kNotFound, fmt::format("cluster {}: not a member", name), "ote cluster list");
  }
  api::ClusterView view;
  view.cluster = std::move(*found);
  // What another version of ote tells may not be read here: it is left out.
  for (const auto& [key, value] : state.List(name, state::kShim)) {
    if (auto shim = FromWire<api::ShimStatus>(value)) view.shim = std::move(*shim);
  }
  for (const auto& [key, value] : state.List(name, state::kLine)) {
    if (auto line = FromWire<api::LineStatus>(value)) view.line = std::move(*line);
  }
  for (const auto& [key, value] : state.List(name, state::kApp)) {
    if (auto app = FromWire<api::AppStatus>(value)) view.apps.push_back(std::move(*app));
  }
  for (const auto& [key, value] : state.List(name, state::kEvent)) {
    if (auto event = FromWire<api::ClusterEvent>(value)) view.events.push_back(std::move(*event));
  }
  std::ranges::stable_sort(view.events, [](const auto& a, const auto& b) { return a.at > b.at; });
  view.events_dropped = state.EventsDropped(name);
  view.fresh_at = state.FreshAt(name);
  view.commands = commands.PhasesOf(name);
  return view;
}

void ServeClusterView(Context& context, const Members& members, const State& state, const Commands& commands) {
  context.rpc.RegisterCall<api::NameRequest>(
      api::verb::kClusterShow, kByOperator,
      [&members, &state, &commands](const Request&, const api::NameRequest& request) {
        return ViewCluster(request.name, members, state, commands);
      });
}

}  // namespace ote::agent
