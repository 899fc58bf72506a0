#include "agent/shim/kubernetes/credentials.h"

#include <fmt/format.h>

#include <cstdlib>

#include "agent/shim/kubernetes/exec_plugin.h"
#include "agent/shim/kubernetes/json.h"
#include "core/base/files.h"

namespace ote::kube {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t kMaxFile = 1 << 20;

tl::unexpected<Error> Bad(const std::string& from, std::string_view what) {
  return Fail(ErrorId::kKubeConfig, fmt::format("{}: {}", from, what));
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && std::string_view(" \r\n\t").find(text.back()) != text.npos) text.remove_suffix(1);
  while (!text.empty() && std::string_view(" \r\n\t").find(text.front()) != text.npos) text.remove_prefix(1);
  return text;
}

crypto::SecretBytes SecretOf(std::string_view text) { return crypto::SecretBytes::CopyOf(AsBytes(Trimmed(text))); }

Result<crypto::SecretBytes> SecretFile(const fs::path& path) {
  OTE_TRY(Bytes bytes, ReadFile(path, kMaxFile));
  auto secret = SecretOf(AsText(bytes));
  crypto::Wipe(bytes);
  return secret;
}

// The entry of a named list: clusters, users, contexts.
const Json& Named(const Json& config, std::string_view list, const std::string& name) {
  static const Json kNull;
  const Json& all = At(config, {list});
  if (!all.is_array()) return kNull;
  for (const Json& item : all) {
    if (TextAt(item, {"name"}) == name) return item;
  }
  return kNull;
}

// `KEY-data` in base64, or the file that `KEY` names.
Result<Bytes> DataOrFile(const Json& entry, const std::string& key, const fs::path& folder, const std::string& from,
                         fs::path* file) {
  if (const std::string data = TextAt(entry, {key + "-data"}); !data.empty()) {
    auto bytes = Base64Decode(data);
    if (!bytes) return Bad(from, key + "-data is not base64");
    return std::move(*bytes);
  }
  if (const std::string path = TextAt(entry, {key}); !path.empty()) {
    *file = folder / path;
    auto bytes = ReadFile(*file, kMaxFile);
    if (!bytes) return Fail(ErrorId::kKubeConfig, fmt::format("{}: {}: {}", from, key, bytes.error().message));
    return std::move(*bytes);
  }
  return Bytes{};
}

Result<void> ReadCluster(const Json& cluster, const fs::path& folder, Credentials& out) {
  out.server = TextAt(cluster, {"server"});
  if (out.server.empty()) return Bad(out.from, "the cluster has no server");
  if (!out.server.starts_with("https://")) return Bad(out.from, "server: only https:// is spoken");
  while (out.server.ends_with('/')) out.server.pop_back();
  if (At(cluster, {"insecure-skip-tls-verify"}) == Json(true)) {
    return Fail(ErrorId::kKubeConfig,
                out.from + ": insecure-skip-tls-verify: a server that is not verified is never spoken to",
                "put the server's CA into certificate-authority-data");
  }
  out.server_name = TextAt(cluster, {"tls-server-name"});
  out.proxy = TextAt(cluster, {"proxy-url"});
  fs::path file;
  OTE_TRY(const Bytes ca, DataOrFile(cluster, "certificate-authority", folder, out.from, &file));
  out.ca = std::string(AsText(ca));
  return {};
}

Result<void> ReadExec(const Json& exec, const fs::path& folder, Credentials& out) {
  ExecPlugin plugin;
  plugin.command = TextAt(exec, {"command"});
  plugin.api_version = TextAt(exec, {"apiVersion"});
  plugin.hint = TextAt(exec, {"installHint"});
  plugin.cluster_info = At(exec, {"provideClusterInfo"}) == Json(true);
  if (plugin.command.empty()) return Bad(out.from, "exec: the command is missing");
  // A name is looked up in PATH; a path is relative to the file.
  if (plugin.command.find('/') != plugin.command.npos) plugin.command = (folder / plugin.command).string();
  if (plugin.api_version != "client.authentication.k8s.io/v1" &&
      plugin.api_version != "client.authentication.k8s.io/v1beta1") {
    return Bad(out.from, "exec: apiVersion is not client.authentication.k8s.io/v1 or v1beta1");
  }
  if (TextAt(exec, {"interactiveMode"}) == "Always") {
    return Bad(out.from, "exec: the plugin wants to ask somebody, and an agent has nobody to ask");
  }
  if (const Json& args = At(exec, {"args"}); args.is_array()) {
    for (const Json& arg : args) {
      if (!arg.is_string()) return Bad(out.from, "exec: args: not a list of strings");
      plugin.args.push_back(arg.get<std::string>());
    }
  }
  if (const Json& env = At(exec, {"env"}); env.is_array()) {
    for (const Json& item : env) plugin.env[TextAt(item, {"name"})] = TextAt(item, {"value"});
    plugin.env.erase("");
  }
  out.exec = std::move(plugin);
  return {};
}

Result<void> ReadUser(const Json& user, const fs::path& folder, Credentials& out) {
  for (const std::string_view old : {"username", "password", "auth-provider"}) {
    if (!At(user, {old}).is_null()) {
      return Bad(out.from, fmt::format("{}: no version of Kubernetes that is kept takes this any more", old));
    }
  }
  for (const std::string_view as : {"as", "as-uid", "as-groups", "as-user-extra"}) {
    if (!At(user, {as}).is_null())
      return Bad(out.from, fmt::format("{}: acting as somebody else is not supported", as));
  }
  if (const std::string file = TextAt(user, {"tokenFile"}); !file.empty()) {
    out.token_file = folder / file;
  } else if (const std::string token = TextAt(user, {"token"}); !token.empty()) {
    out.token = SecretOf(token);
  }
  OTE_TRY(const Bytes certificate, DataOrFile(user, "client-certificate", folder, out.from, &out.certificate_file));
  OTE_TRY(Bytes key, DataOrFile(user, "client-key", folder, out.from, &out.key_file));
  out.certificate = std::string(AsText(certificate));
  out.key = crypto::SecretBytes::CopyOf(key);
  crypto::Wipe(key);
  if (out.certificate.empty() != out.key.empty()) {
    return Bad(out.from, "client-certificate and client-key go together");
  }
  if (const Json& exec = At(user, {"exec"}); exec.is_object()) OTE_CHECK(ReadExec(exec, folder, out));
  return {};
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

Result<Credentials> ParseKubeconfig(std::string_view text, const fs::path& file, const std::string& context,
                                    const fs::path& folder) {
  // What ParseYaml says of bad text may quote it; of a file with secrets only the place is told.
  SourceMap map;
  auto parsed = ParseYaml(text, file.string(), &map);
  if (!parsed) return Bad(file.string(), "it is not YAML with one document");
  const Json config = std::move(*parsed);
  if (!config.is_object() || TextAt(config, {"kind"}) != "Config") return Bad(file.string(), "its kind is not Config");
  Credentials out;
  const std::string name = context.empty() ? TextAt(config, {"current-context"}) : context;
  if (name.empty()) return Bad(file.string(), "no context is named, and there is no current-context");
  out.from = fmt::format("{}#{}", file.string(), name);
  const Json& chosen = Named(config, "contexts", name);
  if (chosen.is_null()) return Bad(out.from, "there is no such context");
  if (const std::string ns = TextAt(chosen, {"context", "namespace"}); !ns.empty()) out.name_space = ns;
  const Json& cluster = Named(config, "clusters", TextAt(chosen, {"context", "cluster"}));
  if (cluster.is_null()) return Bad(out.from, "there is no such cluster");
  OTE_CHECK(ReadCluster(At(cluster, {"cluster"}), folder, out));
  const Json& user = Named(config, "users", TextAt(chosen, {"context", "user"}));
  if (user.is_null()) return Bad(out.from, "there is no such user");
  OTE_CHECK(ReadUser(At(user, {"user"}), folder, out));
  return out;
}

Result<Credentials> InCluster(const fs::path& folder, const std::string& host, const std::string& port) {
  Credentials out;
  out.from = "in cluster";
  out.server =
      fmt::format("https://{}:{}", host.find(':') != host.npos ? "[" + host + "]" : host, port.empty() ? "443" : port);
  out.token_file = folder / "token";
  auto ca = ReadTextFile(folder / "ca.crt", kMaxFile);
  if (!ca) return Bad(out.from, ca.error().message);
  out.ca = std::move(*ca);
  if (auto ns = ReadTextFile(folder / "namespace", 1024)) out.name_space = std::string(Trimmed(*ns));
  if (out.name_space.empty()) out.name_space = "default";
  return out;
}

Result<Credentials> LoadCredentials(const std::string& rest) {
  const std::size_t hash = rest.rfind('#');
  std::string path = rest.substr(0, hash);
  const std::string context = hash == rest.npos ? "" : rest.substr(hash + 1);
  if (path.empty()) path = Variable("KUBECONFIG");
  if (path.empty()) {
    const std::string host = Variable("KUBERNETES_SERVICE_HOST");
    const fs::path account = "/var/run/secrets/kubernetes.io/serviceaccount";
    std::error_code none;
    if (context.empty() && !host.empty() && fs::exists(account / "token", none)) {
      return InCluster(account, host, Variable("KUBERNETES_SERVICE_PORT"));
    }
    path = Variable("HOME") + "/.kube/config";
  }
  auto text = ReadTextFile(path, kMaxFile);
  if (!text) {
    return Fail(ErrorId::kKubeConfig, text.error().message, "ote cluster join --shim kubernetes:PATH[#CONTEXT]");
  }
  auto out = ParseKubeconfig(*text, path, context, fs::absolute(path).parent_path());
  crypto::Wipe({reinterpret_cast<std::uint8_t*>(text->data()), text->size()});
  return out;
}

Result<Auth> Authenticate(const Credentials& from, UnixMillis now, const std::stop_token& stop) {
  Auth auth;
  const bool files = !from.token_file.empty() || !from.key_file.empty() || !from.certificate_file.empty();
  if (files) auth.until = now + std::chrono::milliseconds(kReadAgain).count();
  if (!from.token_file.empty()) {
    OTE_TRY(auth.token, SecretFile(from.token_file));
  } else {
    auth.token = crypto::SecretBytes::CopyOf(from.token.View());
  }
  auth.certificate = from.certificate;
  if (!from.certificate_file.empty()) {
    OTE_TRY(auth.certificate, ReadTextFile(from.certificate_file, kMaxFile));
  }
  auth.key = crypto::SecretBytes::CopyOf(from.key.View());
  if (!from.key_file.empty()) {
    OTE_TRY(auth.key, SecretFile(from.key_file));
  }
  // As in client-go: a token or a certificate of the user's own goes before the plugin.
  if (from.exec && auth.token.empty() && auth.key.empty()) {
    auto made = RunExecPlugin(*from.exec, from, stop);
    if (!made) return Fail(std::move(made).error().Context(from.from).Hint(from.exec->hint));
    return made;
  }
  return auth;
}

Result<Auth> ParseExecCredential(std::string_view text, const std::string& api_version) {
  auto parsed = ParseAnswer(text);
  if (!parsed || !parsed->is_object()) return Fail(ErrorId::kKubeConfig, "exec: the plugin printed no JSON object");
  if (TextAt(*parsed, {"kind"}) != "ExecCredential" || TextAt(*parsed, {"apiVersion"}) != api_version) {
    return Fail(ErrorId::kKubeConfig, "exec: the plugin printed no ExecCredential of " + api_version);
  }
  Auth auth;
  auth.token = SecretOf(TextAt(*parsed, {"status", "token"}));
  auth.certificate = TextAt(*parsed, {"status", "clientCertificateData"});
  auth.key = SecretOf(TextAt(*parsed, {"status", "clientKeyData"}));
  if (auth.certificate.empty() != auth.key.empty()) {
    return Fail(ErrorId::kKubeConfig, "exec: the plugin gave a certificate without a key, or a key without one");
  }
  if (auth.token.empty() && auth.key.empty()) {
    return Fail(ErrorId::kKubeConfig, "exec: the plugin gave neither a token nor a certificate");
  }
  if (const std::string at = TextAt(*parsed, {"status", "expirationTimestamp"}); !at.empty()) {
    auth.until = TimeOf(at);
    if (auth.until == 0) return Fail(ErrorId::kKubeConfig, "exec: expirationTimestamp is no time");
  }
  return auth;
}

}  // namespace ote::kube
