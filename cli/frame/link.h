// The command line's line to the agent of a state folder: its control socket, with the folder's control key.
#pragma once

#include <chrono>
#include <memory>

#include "cli/frame/context.h"
#include "core/store/state_folder.h"
#include "core/wire/client.h"

namespace ote::cli {

inline constexpr std::chrono::milliseconds kQuick{10'000};  // for answers that need no work
inline constexpr std::chrono::milliseconds kLong{600'000};  // for those that read a data set

// One thread at a time.
class AgentLink {
 public:
  // To the agent of the state folder that the flags choose. kNotEnrolled; kUnreachable when no agent runs there.
  static Result<AgentLink> Open(const Context& context);
  static Result<AgentLink> OpenAt(const std::filesystem::path& state, std::chrono::milliseconds patience = kQuick);

  const store::Membership& Member() const noexcept { return member_; }
  const store::StateFolder& Folder() const noexcept { return folder_; }
  bool IsRoot() const noexcept { return member_.role == crypto::Role::kRoot; }
  wire::Client& Wire() noexcept { return *client_; }

  template <class Reply, class Request>
  Result<Reply> Ask(std::string_view verb, const Request& request, std::chrono::milliseconds patience = kQuick) {
    return client_->Ask<Reply>(verb, request, patience);
  }

 private:
  AgentLink() = default;
  store::StateFolder folder_;
  store::Membership member_;
  std::unique_ptr<crypto::TransportKey> key_;  // outlives the client
  std::unique_ptr<wire::Client> client_;
};

}  // namespace ote::cli
