// ote key create and revoke: operators beside the one at the agent's own machine.
#include <fmt/format.h>

#include <system_error>

#include "cli/frame/credential.h"
#include "cli/frame/link.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/frame/settings.h"
#include "cli/key/commands.h"
#include "core/api/requests.h"
#include "core/base/ids.h"

namespace ote::cli {
namespace {

namespace fs = std::filesystem;

struct CreateOptions {
  std::string name;
  api::OperatorRole role = api::OperatorRole::kViewer;
  std::string scope;
  std::chrono::milliseconds ttl{90LL * 24 * 3600 * 1000};
  fs::path out;
  std::vector<std::string> servers;
};
struct RevokeOptions {
  std::string name;
};

// "tcp://edge:7441=KEY", the key as ote key list shows it there.
Result<api::OperatorServer> ServerOf(const std::string& text) {
  const auto equals = text.find('=');
  const auto key = equals == std::string::npos ? Result<std::array<std::uint8_t, 32>>(Fail(ErrorId::kUsage, ""))
                                               : crypto::KeyFromText(std::string_view(text).substr(equals + 1));
  if (!key || !text.starts_with("tcp://")) {
    return Fail(ErrorId::kUsage, fmt::format("--server {}: not ENDPOINT=KEY", text),
                "as in tcp://edge:7441=KEY, with the transport key that ote key list shows at that agent");
  }
  return api::OperatorServer{"", {text.substr(0, equals)}, crypto::ToBytes(*key)};
}

// The agents that a new credential is to name: those that were given, then the one that answers, then, when that one is
// reached with a credential, the others that this one names.
Result<std::vector<api::OperatorServer>> ServersFor(Context& context, const CreateOptions& options,
                                                    const api::OperatorReply& reply) {
  std::vector<api::OperatorServer> servers;
  const auto add = [&servers](const api::OperatorServer& server) {
    for (const auto& held : servers) {
      if (held.transport_key == server.transport_key && held.endpoints == server.endpoints) return;
    }
    servers.push_back(server);
  };
  for (const auto& text : options.servers) {
    OTE_TRY(const auto server, ServerOf(text));
    add(server);
  }
  if (reply.server) add(*reply.server);
  OTE_TRY(const ChosenState chosen, ChooseAgent(context));
  if (!chosen.credential.empty()) {
    OTE_TRY(const auto own, LoadCredential(chosen.credential));
    for (const auto& server : own.about.servers) add(server);
  }
  if (servers.empty()) {
    return Fail(ErrorId::kUsage, "this agent listens nowhere, so no operator could reach it",
                "ote cluster init NAME --listen tcp://0.0.0.0:7440, or give --server ENDPOINT=KEY");
  }
  return servers;
}

Json Shown(const api::Operator& who) {
  auto json = ToJson(who);
  json["key"] = crypto::ToText(crypto::AsKey(who.transport_key));
  json.erase("transportKey");
  return json;
}

Result<Exit> Create(Context& context, const CreateOptions& options) {
  crypto::Init();
  OTE_CHECK(CheckName("operator", options.name));
  for (const auto& server : options.servers) OTE_CHECK(ServerOf(server));
  const bool to_out = options.out == "-";
  const auto file = context.Absolute(options.out.empty() ? fs::path(options.name + ".credential") : options.out);
  std::error_code ignored;
  const bool there = !to_out && fs::exists(file, ignored);
  OTE_TRY(AgentLink link, AgentLink::Open(context));

  api::OperatorRequest ask;
  ask.name = options.name;
  ask.role = options.role;
  ask.scope = options.scope == "*" ? "" : options.scope;
  ask.ttl_ms = options.ttl.count();
  ask.request_id = context.flags.request_id;
  Credential made{{}, crypto::TransportKey::Generate()};
  if (there) {
    // The same command again, or after it was cut off: the key that was made then.
    OTE_TRY(made, LoadCredential(file));
    if (made.about.name != options.name) {
      return Fail(ErrorId::kConflict,
                  fmt::format("{}: is the credential of operator {}", file.string(), made.about.name),
                  "write to another file with -o FILE");
    }
  }
  if (context.flags.dry_run) {
    Say(context, fmt::format("operator {}: would be made, as {} {}", options.name, NameOf(options.role),
                             ask.scope.empty() ? "of the whole tree" : "of " + ask.scope));
    return Exit::kDone;
  }
  ask.transport_key = crypto::ToBytes(made.key.Public().bytes);
  made.about.name = options.name;
  // The key is on disk before anybody is told of it.
  if (!to_out && !there) OTE_CHECK(SaveCredential(file, made));
  auto reply = link.Ask<api::OperatorReply>(api::verb::kOperatorCreate, ask, context.Patience(kQuick));
  if (!reply) {
    // Where nobody knows what became of the request, the key stays for the next try.
    const bool unsure = reply.error().id == ErrorId::kTimedOut || reply.error().id == ErrorId::kUnreachable;
    if (!to_out && !there && !unsure) OTE_CHECK(crypto::DestroyKeyFile(file));
    return Fail(std::move(reply).error());
  }
  OTE_TRY(made.about.servers, ServersFor(context, options, *reply));
  made.about.fingerprint = reply->fingerprint;
  if (!to_out) OTE_CHECK(SaveCredential(file, made));
  const auto& record = reply->record;
  Say(context, fmt::format("operator {}: {} {}, until {}{}", record.name, NameOf(record.role),
                           record.scope.empty() ? "of the whole tree" : "of " + record.scope,
                           FormatTime(record.expires_at), reply->already ? "; is one already" : ""));
  if (to_out) {
    context.out << CredentialText(made);
    context.printed = true;
    return Exit::kDone;
  }
  Say(context, fmt::format("the credential is in {}; whoever holds the file is the operator", file.string()));
  auto json = Shown(record);
  json["already"] = reply->already;
  json["file"] = file.string();
  PrintOne(context, json, file.string() + "\n", file.string());
  Next(context, fmt::format("ote cluster list --credential {}, where the operator is", file.string()));
  return Exit::kDone;
}

Result<Exit> Revoke(Context& context, const RevokeOptions& options) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  if (context.flags.dry_run) {
    OTE_TRY(const auto list,
            link.Ask<api::OperatorBody>(api::verb::kOperatorList, api::Empty{}, context.Patience(kQuick)));
    for (const auto& item : list.items) {
      if (item.name != options.name) continue;
      Say(context, fmt::format("operator {}: {}", item.name, item.revoked ? "is revoked already" : "would be revoked"));
      return Exit::kDone;
    }
    return Fail(ErrorId::kOperatorUnknown, fmt::format("operator {}: no such operator", options.name), "ote key list");
  }
  OTE_CHECK(Confirm(context, fmt::format("revoke the key of operator {} and cut it off", options.name)));
  OTE_TRY(const auto reply,
          link.Ask<api::OperatorReply>(api::verb::kOperatorRemove,
                                       api::OperatorRemoveRequest{options.name, context.flags.request_id},
                                       context.Patience(kQuick)));
  Say(context, fmt::format("operator {}: {}", options.name, reply.already ? "is revoked already" : "revoked"));
  auto json = Shown(reply.record);
  json["already"] = reply.already;
  PrintOne(context, json, "", options.name);
  return Exit::kDone;
}

}  // namespace

Command CreateKeyCommand() {
  auto options = std::make_shared<CreateOptions>();
  Command c("create", "make an operator: a key that may ask the agents of the tree");
  c.About(
      "The key is made here and its private half stays in the file that is written, mode 0600, with where to connect "
      "and whom to expect there: a credential for --credential, OTE_CREDENTIAL or a context. A viewer may look, an "
      "operator may also run things and change clusters, and an admin may also admit and remove clusters and "
      "operators. "
      "With --scope only the clusters that the selector matches can be reached, and nothing that concerns the whole "
      "tree. The agents of the tree learn of it with their next heartbeat. If the file is there, its key is used.");
  c.Argument("NAME", options->name, "the operator");
  c.Option("--role", "ROLE", options->role, "what the operator may do");
  c.Option("--scope", "SELECTOR", options->scope, "the clusters that can be reached, as in region=eu,tier!=lab");
  c.Fallback("all");
  c.Option("--ttl", "DURATION", options->ttl, "how long the key is taken").Fallback("90d");
  c.Option("-o,--out", "FILE", options->out, "where the credential is written; - for standard output")
      .Completes(Names::kFile)
      .Fallback("NAME.credential");
  c.Option("--server", "ENDPOINT=KEY", options->servers,
           "another agent that the credential names, tried first; its transport key is in ote key list there");
  c.Example("ote key create kim --role operator --scope region=eu", "for somebody who runs the clusters in the eu");
  c.Example("ote key create watch --role viewer --ttl 365d -o watch.credential", "for a dashboard");
  c.Exits({Exit::kRefused, Exit::kUnreachable, Exit::kConflict, Exit::kNotFound});
  c.Changes();
  c.Does([options](Context& context) { return Create(context, *options); });
  return c;
}

Command RevokeKeyCommand() {
  auto options = std::make_shared<RevokeOptions>();
  Command c("revoke", "take an operator's key away");
  c.About(
      "Open connections with the key are cut at once, at the root, and at the other agents as soon as they hear of it, "
      "with their next heartbeat at the latest. A key that was revoked stays so; the name may be used again.");
  c.Argument("NAME", options->name, "the operator");
  c.Example("ote key revoke kim", "after a question");
  c.Example("ote key revoke kim --yes", "in a script");
  c.Exits({Exit::kRefused, Exit::kUnreachable, Exit::kNotFound});
  c.Changes();
  c.Does([options](Context& context) { return Revoke(context, *options); });
  return c;
}

}  // namespace ote::cli
