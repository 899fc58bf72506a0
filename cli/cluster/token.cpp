// ote cluster token: make, list and withdraw join tokens.
#include <fmt/format.h>

#include "cli/cluster/commands.h"
#include "cli/frame/link.h"
#include "cli/frame/names.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "core/base/units.h"

namespace ote::cli {
namespace {

struct RevokeOptions {
  std::string id;
};

Json Shown(api::Token token) {
  token.proof_key.reset();
  token.transport_key.reset();
  return ToJson(token);
}

Result<Exit> Create(Context& context, const CreateTokenOptions& options) {
  if (context.flags.dry_run) {
    OTE_CHECK(AgentLink::Open(context));
    Say(context, fmt::format("a token for {} cluster(s) would be made, to be used within {}", options.uses,
                             FormatDuration(options.ttl)));
    return Exit::kDone;
  }
  OTE_TRY(api::TokenReply reply, CreateToken(context, options));
  const Json json{{"token", reply.token}, {"record", Shown(reply.record)}};
  PrintOne(context, json, reply.token + "\n", reply.token);
  Say(context, fmt::format("token {}: for {} cluster(s), until {}; it is not shown again", reply.record.id,
                           reply.record.uses, FormatTime(reply.record.expires_at)));
  Next(context, "ote cluster join - --name NAME, on the machine that joins");
  return Exit::kDone;
}

Result<Exit> List(Context& context) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(const api::TokenList list,
          link.Ask<api::TokenList>(api::verb::kTokenList, api::Empty{}, context.Patience(kQuick)));
  const UnixMillis now = context.clock.WallNow();
  Table table({{"ID"}, {"STATUS"}, {"USES"}, {"EXPIRES"}, {"LABELS"}, {"USED BY"}, {"CREATED", true}});
  std::vector<Json> items;
  std::vector<std::string> names;
  for (const api::Token& t : list.items) {
    std::vector<std::string> labels;
    for (const auto& [key, value] : t.labels) labels.push_back(key + "=" + value);
    table.Add({t.id, std::string(NameOf(t.status)), fmt::format("{}/{}", t.used_by.size(), t.uses),
               Ago(t.expires_at, now), Join(labels), Join(t.used_by), FormatTime(t.created_at)});
    items.push_back(Shown(t));
    names.push_back(t.id);
  }
  CacheNames(context, "token", names);
  PrintList(context, items, table, names);
  return Exit::kDone;
}

Result<Exit> Revoke(Context& context, const RevokeOptions& options) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  if (context.flags.dry_run) {
    Say(context, fmt::format("token {}: would be revoked", options.id));
    return Exit::kDone;
  }
  OTE_TRY(const api::Token token,
          link.Ask<api::Token>(api::verb::kTokenRevoke, api::NameRequest{options.id}, context.Patience(kQuick)));
  Say(context, fmt::format("token {}: revoked", token.id));
  PrintOne(context, Shown(token), "", token.id);
  return Exit::kDone;
}

}  // namespace

Result<api::TokenReply> CreateToken(Context& context, const CreateTokenOptions& options) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  api::TokenRequest request;
  request.ttl_ms = options.ttl.count();
  request.uses = options.uses;
  request.labels = options.labels;
  request.request_id = context.flags.request_id;
  return link.Ask<api::TokenReply>(api::verb::kTokenCreate, request, context.Patience(kQuick));
}

Command TokenCommand() {
  Command noun("token", "make, list and withdraw the tokens that let clusters join");
  noun.About(
      "A token is one string. It carries where the root is, which keys it must show, and a secret that is proved but "
      "never sent. The root keeps only what proves the secret.");
  noun.Example("ote cluster token create", "one cluster, one hour");
  noun.Example("ote cluster token list", "which there are");

  auto create_options = std::make_shared<CreateTokenOptions>();
  Command create("create", "make a token and print it, once");
  create.About(
      "The token stands alone on standard output. It admits --uses clusters within --ttl, and gives them its labels. "
      "It cannot be shown again, only revoked.");
  create.Option("--ttl", "DURATION", create_options->ttl, "how long it can be used");
  create.Option("--uses", "COUNT", create_options->uses, "how many clusters it admits");
  create.Option("--label", "KEY=VALUE", create_options->labels, "a label that it gives to those that it admits");
  create.Example("ote cluster token create --ttl 1h --label region=eu", "for one cluster in the region");
  create.Example("ote cluster token create -q --uses 10 > token", "for ten, into a file");
  create.Exits({Exit::kUnreachable, Exit::kConflict, Exit::kNotFound});
  create.Changes();
  create.Does([create_options](Context& context) { return Create(context, *create_options); });
  noun.Add(std::move(create));

  Command list("list", "list the tokens, without their secrets");
  list.About("Those that were used up, have expired or were revoked are listed too.");
  list.Example("ote cluster token list", "for people");
  list.Example("ote cluster token list -o json", "for a program");
  list.Exits({Exit::kUnreachable, Exit::kNotFound});
  list.Does([](Context& context) { return List(context); });
  noun.Add(std::move(list));

  auto revoke_options = std::make_shared<RevokeOptions>();
  Command revoke("revoke", "withdraw a token");
  revoke.About("Nobody can join with it from then on. Clusters that did join with it stay members.");
  revoke.Argument("ID", revoke_options->id, "the token's id: its part between the first and the second dot");
  revoke.Completes(Names::kToken);
  revoke.Example("ote cluster token revoke 7k2m9q4x0d", "one of them");
  revoke.Example("ote cluster token list -q | xargs -n1 ote cluster token revoke", "all of them");
  revoke.Exits({Exit::kUnreachable, Exit::kNotFound});
  revoke.Changes();
  revoke.Does([revoke_options](Context& context) { return Revoke(context, *revoke_options); });
  noun.Add(std::move(revoke));
  return noun;
}

}  // namespace ote::cli
