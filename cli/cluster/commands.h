// ote cluster: its verbs as commands, and as functions for those that run several (ote quickstart).
#pragma once

#include "cli/cluster/watch_flags.h"
#include "cli/frame/command.h"
#include "core/api/requests.h"

namespace ote::cli {

Command ClusterCommand();

Command InitCommand();
Command JoinCommand();
Command ApproveCommand();
Command ListClustersCommand();
Command ShowClusterCommand();
Command TreeCommand();
Command ListCommandsCommand();
Command LabelCommand();
Command RemoveClusterCommand();
Command CordonCommand();
Command UncordonCommand();
Command DrainCommand();
Command TokenCommand();
Command StartCommand();
Command StopCommand();
Command StatusCommand();
Command AuditCommand();

struct InitOptions {
  std::string name;
  std::vector<std::string> listen{"tcp://0.0.0.0:7440"};
  std::vector<std::string> advertise;
  std::chrono::milliseconds heartbeat{5'000};
  std::chrono::milliseconds certificate_life{90LL * 24 * 3600 * 1000};
  std::string shim;
  bool no_start = false;
  WatchOptions watch;
};
Result<Exit> Init(Context& context, const InitOptions& options);

struct JoinOptions {
  std::string token;  // "-" for standard input; "" for token_file or OTE_TOKEN
  std::filesystem::path token_file;
  std::string name;
  Labels labels;
  std::vector<std::string> listen;  // empty: it takes no children
  std::vector<std::string> advertise;
  std::string shim;  // "" for the default
  bool replace = false;
  bool no_start = false;
  WatchOptions watch;
  // Without a network.
  bool offline = false;
  std::filesystem::path grant;
  std::string fingerprint;
  std::filesystem::path out;
  bool check_dates = false;
  bool force = false;
};
// By files, cli/by_hand.
Result<Exit> JoinOffline(Context& context, const JoinOptions& options);
Result<Exit> JoinByGrant(Context& context, const JoinOptions& options);
Result<Exit> Join(Context& context, const JoinOptions& options);

struct CreateTokenOptions {
  std::chrono::milliseconds ttl{3'600'000};
  std::int64_t uses = 1;
  Labels labels;
};
// The reply holds the secret.
Result<api::TokenReply> CreateToken(Context& context, const CreateTokenOptions& options);

}  // namespace ote::cli
