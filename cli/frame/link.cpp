#include "cli/frame/link.h"

#include <fmt/format.h>

#include "cli/frame/settings.h"
#include "core/wire/zmq_transport.h"

namespace ote::cli {

Result<AgentLink> AgentLink::Open(const Context& context) {
  OTE_TRY(const ChosenState chosen, ChooseState(context));
  return OpenAt(chosen.path, context.Patience(kQuick));
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
