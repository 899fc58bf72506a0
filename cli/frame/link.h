// The command line's line to an agent: to that of a state folder over its control socket, with the folder's control
// key, or to any agent of a tree over the network, with an operator's credential.
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
  // To the agent that the flags choose. kNotEnrolled; kUnreachable when no agent runs there.
  static Result<AgentLink> Open(const Context& context);
  static Result<AgentLink> OpenAt(const std::filesystem::path& state, std::chrono::milliseconds patience = kQuick);
  // Tries each endpoint that the credential names, in order; kPermission when the key is not, or no longer, taken.
  static Result<AgentLink> OpenWith(const std::filesystem::path& credential,
                                    std::chrono::milliseconds patience = kQuick);

  // Of an agent that is reached with a credential only name, role and endpoints are known.
  const store::Membership& Member() const noexcept { return member_; }
  const store::StateFolder& Folder() const noexcept { return folder_; }
  bool IsRoot() const noexcept { return member_.role == crypto::Role::kRoot; }
  bool Remote() const noexcept { return remote_; }
  // kUsage, saying that `what` needs the keys and files of the agent itself, when the agent is reached with a
  // credential.
  Result<void> NeedsFolder(std::string_view what) const;
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
  bool remote_ = false;
};

}  // namespace ote::cli
