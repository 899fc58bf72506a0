// Who we are to a Kubernetes API server, and how we know that it is the one: kubeconfig files
// (client.authentication.k8s.io/v1 plugins included) and the service account of a pod.
//
// Secrets are held in locked memory and stand in no error and no log.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/codec.h"
#include "crypto/secret.h"

namespace ote::kube {

// Of one moment: what goes with a request.
struct Auth {
  crypto::SecretBytes token;
  std::string certificate;  // PEM
  crypto::SecretBytes key;  // PEM
  UnixMillis until = 0;     // ask again from then on; 0: never, unless it is refused
};

// `exec` of a kubeconfig user.
struct ExecPlugin {
  std::string command;
  std::vector<std::string> args;
  std::map<std::string, std::string> env;
  std::string api_version;
  bool cluster_info = false;
  std::string hint;
};

struct Credentials {
  std::string server;       // https://HOST:PORT[/PREFIX]
  std::string server_name;  // of the certificate, when it is not the host
  std::string proxy;
  std::string ca;  // PEM; "" for the system's
  std::string name_space = "default";
  std::string from;  // for messages: a path and a context, or "in cluster"

  // Of these, those that are set.
  crypto::SecretBytes token;
  std::filesystem::path token_file;
  std::string certificate;
  crypto::SecretBytes key;
  std::filesystem::path certificate_file;
  std::filesystem::path key_file;
  std::optional<ExecPlugin> exec;
};

// How long what was read from a file counts as fresh: tokens rotate.
inline constexpr std::chrono::seconds kReadAgain{50};

// `rest` is PATH[#CONTEXT], or "" for $KUBECONFIG, the service account when we run in a pod, or ~/.kube/config.
Result<Credentials> LoadCredentials(const std::string& rest);
// Paths in the text are relative to `folder`.
Result<Credentials> ParseKubeconfig(std::string_view text, const std::filesystem::path& file,
                                    const std::string& context, const std::filesystem::path& folder);
Result<Credentials> InCluster(const std::filesystem::path& folder, const std::string& host, const std::string& port);

// Reads files and runs the plugin, for at most a minute: not for a thread that may not wait.
Result<Auth> Authenticate(const Credentials& credentials, UnixMillis now, const std::stop_token& stop = {});
// What a plugin printed.
Result<Auth> ParseExecCredential(std::string_view text, const std::string& api_version);

}  // namespace ote::kube
