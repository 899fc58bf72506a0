#include "cli/key/commands.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/by_hand/alone.h"
#include "cli/by_hand/place.h"
#include "cli/frame/link.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/frame/settings.h"
#include "core/api/operator.h"
#include "core/api/parent_key.h"
#include "core/api/requests.h"

namespace ote::cli {
namespace {

constexpr std::chrono::milliseconds kRotateWait{30'000};  // the parent is asked, and connected to anew

struct RotateOptions {
  bool authority = false;
  bool transport = false;
  bool now = false;
  PlaceOptions place;
};

std::string_view StatusOf(const api::Operator& who, UnixMillis now) {
  if (who.revoked) return "revoked";
  return who.ActiveAt(now) ? "in use" : "expired";
}

void PrintKeys(Context& context, const std::vector<api::KeyInfo>& keys,
               const std::vector<api::Operator>& operators = {}) {
  const UnixMillis now = context.clock.WallNow();
  Table table({{"NAME"},
               {"ROLE"},
               {"STATUS"},
               {"KEY"},
               {"SERIAL"},
               {"SINCE"},
               {"EXPIRES"},
               {"CHANGES", true},
               {"WAITING FOR"},
               {"SCOPE"}});
  std::vector<Json> items;
  std::vector<std::string> names;
  for (const api::KeyInfo& key : keys) {
    table.Add({key.name, "", key.status, key.key, key.serial.value == 0 ? "" : std::to_string(key.serial.value),
               key.since == 0 ? "" : Ago(key.since, now), key.expires_at == 0 ? "" : Ago(key.expires_at, now),
               key.name == "authority" ? std::to_string(key.changes) : "", Join(key.waiting_for)});
    items.push_back(ToJson(key));
    names.push_back(key.key);
  }
  for (const auto& who : operators) {
    const auto key = crypto::ToText(crypto::AsKey(who.transport_key));
    table.Add({who.name, std::string(NameOf(who.role)), std::string(StatusOf(who, now)), key, "",
               Ago(who.created_at, now), Ago(who.expires_at, now), "", "", who.scope});
    items.push_back({{"name", who.name},
                     {"role", NameOf(who.role)},
                     {"scope", who.scope},
                     {"key", key},
                     {"status", StatusOf(who, now)},
                     {"since", who.created_at},
                     {"expiresAt", who.expires_at}});
    names.push_back(key);
  }
  PrintList(context, items, table, names);
}

Result<Exit> List(Context& context) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(const auto list, link.Ask<api::KeyList>(api::verb::kKeyList, api::Empty{}, context.Patience(kQuick)));
  auto operators = link.Ask<api::OperatorBody>(api::verb::kOperatorList, api::Empty{}, context.Patience(kQuick));
  // One with a scope sees the keys of the agent alone; an older agent knows of no operators.
  const bool none =
      !operators && (operators.error().id == ErrorId::kOutOfScope || operators.error().id == ErrorId::kUnsupported);
  if (!operators && !none) return Fail(std::move(operators).error());
  PrintKeys(context, list.items, operators ? operators->items : std::vector<api::Operator>());
  return Exit::kDone;
}

// Where no line reaches: the request is carried to the root, and its grant back.
Result<Exit> RotateByHand(Context& context, const RotateOptions& options, site::HandSite& site) {
  OTE_TRY(const auto name, site.Name());
  if (options.authority) {
    return Fail(ErrorId::kPermission,
                fmt::format("the authority of {}: its key is at the root, and this is a member", name),
                "at the root: ote key rotate --authority");
  }
  if (options.transport) {
    return Fail(ErrorId::kPermission,
                fmt::format("the transport key of {}: that of a member changes with its signing key", name),
                "ote key rotate");
  }
  OTE_TRY(const auto place, PlaceOf(context, options.place, "ote key rotate"));
  if (context.flags.dry_run) {
    Say(context, fmt::format("the keys of {}: would write the request {}", name, place.path.string()));
    return Exit::kDone;
  }
  OTE_TRY(const auto asked, site.MakeRotation(place));
  Say(context, fmt::format("the keys of {}: {} {}; they change when its grant is taken", name,
                           asked.file.already ? "the request is there already:" : "wrote", PlacedText(asked.file)));
  PrintOne(context,
           {{"name", name},
            {"file", place.path.string()},
            {"fingerprint", asked.fingerprint},
            {"digest", asked.file.digest},
            {"already", asked.file.already}},
           FactsText({{"name", name}, {"request", place.path.string()}, {"fingerprint", asked.fingerprint}}),
           place.path.string());
  Next(context, fmt::format("at the root: ote cluster approve {} -o {}.grant", place.path.filename().string(), name));
  return Exit::kDone;
}

// At a root.
Result<Exit> RotateTransport(Context& context, AgentLink& link, bool now) {
  const std::string what = "the transport key of " + link.Member().name;
  if (link.Member().role != crypto::Role::kRoot) {
    return Fail(ErrorId::kPermission, what + ": that of a member changes with its signing key", "ote key rotate");
  }
  if (context.flags.dry_run) {
    Say(context, fmt::format("{}: would be changed", what));
    return Exit::kDone;
  }
  OTE_CHECK(Confirm(context,
                    "replace the transport key of the root; tokens and credentials that were made before are of no use "
                    "then, and clusters that are away now join again"));
  const api::TransportRotateRequest request{now, context.flags.request_id};
  auto done = link.Ask<api::TransportRotated>(api::verb::kKeyTransport, request, context.Patience(kRotateWait));
  if (!done) {
    if (done.error().id != ErrorId::kTimedOut) return Fail(std::move(done).error());
    return Fail(ErrorId::kTimedOut,
                fmt::format("{}: not changed yet; not all clusters that are here know the next one", what),
                "ote key list shows which; ote key rotate --transport --now does not wait for them");
  }
  Say(context, fmt::format("{}: {}", what, done->already ? "changed already, by the same request" : "changed"));
  PrintKeys(context, done->items);
  if (done->already) return Exit::kDone;
  Say(context,
      "tokens and credentials that were made before are of no use now: ote cluster token create, ote key create");
  if (!done->left_out.empty()) {
    Say(context, fmt::format("not heard to know it: {}; one that does not find its way joins again with a new token, "
                             "and keeps its name, keys and data",
                             Join(done->left_out, ", ")));
  }
  return Exit::kDone;
}

Result<Exit> Rotate(Context& context, const RotateOptions& options) {
  if (options.transport && options.authority) {
    return Fail(ErrorId::kUsage, "--transport and --authority: one at a time", "give one");
  }
  if (options.now && !options.transport) return Fail(ErrorId::kUsage, "--now goes with --transport", "add --transport");
  OTE_TRY(auto alone, OpenAlone(context));
  if (!alone && !options.place.out.empty()) {
    // One that was enrolled over a line which it has lost may be reached by files, too.
    OTE_TRY(const ChosenState chosen, ChooseState(context));
    const store::StateFolder folder{chosen.path};
    OTE_TRY(const auto member, folder.LoadMembership());
    if (member.role == crypto::Role::kRoot) {
      return Fail(ErrorId::kUsage, fmt::format("-o: {} is the root, which asks nobody", member.name), "leave it out");
    }
    OTE_TRY(auto site, site::HandSite::Open(folder, context.clock));
    return RotateByHand(context, options, site);
  }
  if (alone) return RotateByHand(context, options, *alone);
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  if (options.transport) return RotateTransport(context, link, options.now);
  if (link.Member().role == crypto::Role::kMember && !link.Member().parent && !link.Remote() && !options.authority) {
    return Fail(
        ErrorId::kAgentRunning,
        fmt::format("the keys of {}: it has no parent that could be asked, and its agent runs", link.Member().name),
        "ote cluster stop, then ote key rotate -o FILE, to be carried to the root");
  }
  const bool root = link.Member().role == crypto::Role::kRoot;
  if (options.authority && !root) {
    return Fail(ErrorId::kPermission,
                fmt::format("the authority of {}: its key is at the root, and this is a member", link.Member().name),
                "at the root: ote key rotate --authority");
  }
  const std::string what = options.authority ? "the authority"
                           : root            ? "the signing key of " + link.Member().name
                                             : "the keys of " + link.Member().name;
  if (context.flags.dry_run) {
    Say(context, fmt::format("{}: would be changed", what));
    return Exit::kDone;
  }
  if (options.authority) {
    OTE_CHECK(Confirm(context, "replace the authority of the tree; its fingerprint will be another"));
  }
  api::KeyRotateRequest request;
  request.authority = options.authority;
  request.request_id = context.flags.request_id;
  const auto patience = context.Patience(kRotateWait);
  auto done = link.Ask<api::KeyRotated>(api::verb::kKeyRotate, request, patience);
  if (!done) {
    if (done.error().id != ErrorId::kTimedOut) return Fail(std::move(done).error());
    return Fail(ErrorId::kTimedOut, fmt::format("{}: not changed yet; it goes on by itself", what), "ote key list");
  }
  Say(context, fmt::format("{}: {}", what, done->already ? "changed already, by the same request" : "changed"));
  if (root && !options.authority) {
    Say(context, "the transport key of a root is pinned by its tokens and members, and stays: --transport changes it");
  }
  PrintKeys(context, done->items);
  if (options.authority) {
    for (const api::KeyInfo& key : done->items) {
      Say(context, fmt::format("the fingerprint of the tree is now {}", key.key));
      if (!key.waiting_for.empty()) {
        Say(context, fmt::format("not heard yet to have it: {}; those that are away take it when they are back",
                                 Join(key.waiting_for, ", ")));
      }
    }
    Next(context, "ote key list");
  }
  return Exit::kDone;
}

}  // namespace

Command KeyCommand() {
  Command noun("key", "show and change the keys of an agent, of the tree's authority, and of its operators");
  noun.About(
      "Each agent has a signing key and a transport key, certified by the authority of the tree; the root has the "
      "authority's key. Keys are changed in place: nobody enrols again, and runs go on. An operator is a key too: it "
      "lets somebody ask the agents of the tree from elsewhere, within a role and a scope.");
  noun.Example("ote key list", "the public halves, and when they end");
  noun.Example("ote key rotate", "new keys for this cluster");

  Command list("list", "list the keys of the agent, by their public halves");
  list.About(
      "For the authority the fingerprint is shown, as in ote cluster status, how often it was changed, and at the root "
      "which clusters have not been heard to know the present one. Below them stand the operators of the tree, as this "
      "agent knows them.");
  list.Example("ote key list", "for people");
  list.Example("ote key list -o json", "for a program");
  list.Exits({Exit::kUnreachable, Exit::kNotFound});
  list.Does([](Context& context) { return List(context); });
  noun.Add(std::move(list));
  noun.Add(CreateKeyCommand());
  noun.Add(RevokeKeyCommand());

  auto options = std::make_shared<RotateOptions>();
  Command rotate("rotate", "change the keys of the agent, or of the authority");
  rotate.About(
      "On a member: makes new keys, has them certified by the root, and connects with them; the old ones are "
      "destroyed, and their certificate is void everywhere; clusters that joined through it are told before. On a "
      "root: a new signing key. With --transport, at the root: a new transport key, which tokens, members and "
      "credentials pin. Members are told of it, and it is in use when all that are here know it; one that was away, "
      "and has no other way to the root, joins again with a new token and stays who it is. With --authority, at the "
      "root: a new authority, named by the old one, whose key is destroyed. Clusters that are there take it at once, "
      "those that are away when they connect, however many changes later; tokens that were made before still work. A "
      "change that is cut off goes on by itself when the agent runs again. At a cluster that was enrolled by files, "
      "with its agent stopped: writes a request, in which the keys hand over to the next ones; ote cluster approve "
      "answers it at the root, and with ote cluster join --grant the keys change.");
  rotate.Switch("--authority", options->authority, "the key that certifies the clusters of the tree; at the root only");
  rotate.Switch("--transport", options->transport, "the key by which members know the root; at the root only");
  rotate.Switch("--now", options->now, "with --transport: for a key that was stolen; wait for nobody");
  AddPlaceFlags(rotate, options->place, "of a cluster that is reached by files: the request");
  rotate.Example("ote key rotate", "the keys of this cluster");
  rotate.Example("ote key rotate --transport --yes", "at the root, the key of its links, in a script");
  rotate.Example("ote key rotate --authority --yes", "at the root, the authority, in a script");
  rotate.Example("ote key rotate -o keys.request", "at a cluster that no line reaches");
  rotate.Exits({Exit::kFailed, Exit::kTimedOut, Exit::kRefused, Exit::kUnreachable, Exit::kConflict, Exit::kNotFound,
                Exit::kVerification});
  rotate.Changes();
  rotate.Does([options](Context& context) { return Rotate(context, *options); });
  noun.Add(std::move(rotate));
  return noun;
}

}  // namespace ote::cli
