#include "agent/shim/choose.h"

#include <fmt/format.h>

#include <utility>

namespace ote::agent {

std::string ShimOf(const store::Membership& membership) {
  if (!membership.shim.empty()) return membership.shim;
  return membership.role == crypto::Role::kRoot ? "none" : "process";
}

Result<std::unique_ptr<Shim>> MakeShim(const std::string& spelled, ShimContext context) {
  const auto colon = spelled.find(':');
  const auto kind = spelled.substr(0, colon);
  if (colon != std::string::npos) context.rest = spelled.substr(colon + 1);
  if (kind == "none" && context.rest.empty()) return std::unique_ptr<Shim>();
  if (kind == "process" && context.rest.empty()) return MakeProcessShim(std::move(context));
  if (kind == "kubernetes") return MakeKubernetesShim(std::move(context));
  if (kind == "exec" && !context.rest.empty()) return MakeProgramShim(std::move(context));
  return Fail(ErrorId::kShimUnknown, fmt::format("shim {}: there is none of that kind", spelled),
              "process, kubernetes[:KUBECONFIG], none, or exec:COMMAND");
}

}  // namespace ote::agent
