#include "agent/tree/guest_rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/api/verbs.h"

namespace ote::agent {

bool GuestRule::Steers(std::string_view verb) noexcept {
  static constexpr std::array kVerbs = {api::verb::kCommandRun, api::verb::kClusterLabel, api::verb::kAppLogs,
                                        api::verb::kFlOutput, api::verb::kDataSummary};
  return std::ranges::find(kVerbs, verb) != kVerbs.end();
}

bool GuestRule::IsAbove(const std::string& name) const {
  const auto& path = context_.membership.place.path;
  return name == uplink_.HomeName() || std::ranges::find(path, name) != path.end();
}

Result<void> GuestRule::Check(wire::LinkId link, wire::Envelope& request) const {
  const auto host = uplink_.NameAt(link);
  if (host == uplink_.HomeName() || !Steers(request.verb)) return {};
  if (request.from.empty()) request.from = host;
  if (IsAbove(request.from)) return {};
  const auto& self = context_.membership.name;
  Error error{ErrorId::kPermission,
              fmt::format("{}: {} is not above {}, which hangs on {} only while {} is lost", request.verb, request.from,
                          self, host, uplink_.HomeName()),
              "run it at a cluster above " + uplink_.HomeName()};
  if (refused_) refused_(request.from, request, error);
  return Fail(std::move(error));
}

}  // namespace ote::agent
