#include "cli/frame/link.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "cli/frame/credential.h"
#include "cli/frame/settings.h"
#include "core/wire/zmq_transport.h"

namespace ote::cli {
namespace {

constexpr std::chrono::milliseconds kEach{3'000};  // an endpoint gets at least this

}  // namespace

Result<AgentLink> AgentLink::Open(const Context& context) {
  OTE_TRY(const ChosenState chosen, ChooseAgent(context));
  if (!chosen.credential.empty()) return OpenWith(chosen.credential, context.Patience(kQuick));
  return OpenAt(chosen.path, context.Patience(kQuick));
}

Result<AgentLink> AgentLink::OpenWith(const std::filesystem::path& credential, std::chrono::milliseconds patience) {
  crypto::Init();
  OTE_TRY(Credential held, LoadCredential(credential));
  if (held.about.servers.empty()) {
    return Fail(ErrorId::kKeyFileInvalid,
                fmt::format("credential {}: it names no agent; making it was cut off", credential.string()),
                fmt::format("run it again: ote key create {}", held.about.name));
  }
  AgentLink link;
  link.remote_ = true;
  link.key_ = std::make_unique<crypto::TransportKey>(std::move(held.key));
  std::vector<wire::Target> targets;
  for (const auto& server : held.about.servers) {
    for (const auto& endpoint : server.endpoints)
      targets.push_back({endpoint, crypto::TransportPublic{crypto::AsKey(server.transport_key)}});
  }
  const auto each = std::max(patience / static_cast<std::int64_t>(targets.size()), std::min(patience, kEach));
  std::optional<Error> why;
  for (const auto& target : targets) {
    OTE_TRY(auto transport, wire::MakeZmqTransport(nullptr, nullptr));
    auto client = wire::Client::Open(std::move(transport), target, *link.key_, each);
    if (client) {
      link.client_ = std::make_unique<wire::Client>(std::move(*client));
      break;
    }
    // Being turned away says more than silence.
    if (!why || client.error().id != ErrorId::kUnreachable) why = std::move(client).error();
  }
  if (!link.client_) {
    if (why->id == ErrorId::kPermission) {
      why->hint = "the key was revoked, or has expired; ask for a new one, made at the root with: ote key create " +
                  held.about.name;
    }
    return Fail(std::move(*why).Context(fmt::format("operator {}", held.about.name)));
  }
  OTE_TRY(const auto status, link.Ask<api::AgentStatus>(api::verb::kAgentStatus, api::Empty{}, patience));
  link.member_.name = status.name;
  link.member_.role = status.role;
  link.member_.listen = status.listen;
  return link;
}

Result<void> AgentLink::NeedsFolder(std::string_view what) const {
  if (!remote_) return {};
  return Fail(ErrorId::kUsage,
              fmt::format("{}: needs the keys of {} itself, and no credential gives those", what, member_.name),
              "run it on the machine of " + member_.name + ", with --state");
}

Result<AgentLink> AgentLink::OpenAt(const std::filesystem::path& state, std::chrono::milliseconds patience) {
  crypto::Init();
  AgentLink link;
  link.folder_.path = state;
  OTE_TRY(link.member_, link.folder_.LoadMembership());
  if (!store::FolderLock::Held(link.folder_)) {
    return Fail(ErrorId::kUnreachable, fmt::format("agent of {}: not running in {}", link.member_.name, state.string()),
                "ote cluster start --state " + state.string());
  }
  OTE_TRY(const crypto::TransportKey server, link.folder_.ControlServerKey());
  OTE_TRY(crypto::TransportKey control, link.folder_.ControlKey());
  link.key_ = std::make_unique<crypto::TransportKey>(std::move(control));
  OTE_TRY(auto transport, wire::MakeZmqTransport(nullptr, nullptr));
  auto client =
      wire::Client::Open(std::move(transport), {link.folder_.ControlEndpoint(), server.Public()}, *link.key_, patience);
  if (!client) {
    return Fail(std::move(client).error().Context(fmt::format("agent of {}", link.member_.name)));
  }
  link.client_ = std::make_unique<wire::Client>(std::move(*client));
  return link;
}

}  // namespace ote::cli
