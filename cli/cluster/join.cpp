// ote cluster join: enrol this machine with a token.
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <istream>

#include "cli/cluster/commands.h"
#include "cli/cluster/enlist.h"
#include "cli/cluster/leave.h"
#include "cli/frame/link.h"
#include "cli/frame/report.h"
#include "cli/frame/settings.h"
#include "core/base/files.h"
#include "core/base/ids.h"
#include "core/wire/enrol.h"
#include "core/wire/zmq_transport.h"
#include "crypto/token.h"

namespace ote::cli {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kConnectWait{10'000};
constexpr milliseconds kRetryWait{3'000};  // for a root that is asked once more, though a membership is there

std::string Trim(std::string text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && blank(text.back())) text.pop_back();
  std::size_t from = 0;
  while (from < text.size() && blank(text[from])) ++from;
  return text.substr(from);
}

Result<crypto::JoinToken> ReadToken(Context& context, const JoinOptions& options) {
  std::string text;
  if (options.token == "-") {
    std::getline(context.in, text);
  } else if (!options.token.empty()) {
    text = options.token;
    Warn(context,
         "a token on the command line can be seen by other users of this machine; give - and standard input, "
         "--token-file, or OTE_TOKEN");
  } else if (!options.token_file.empty()) {
    OTE_TRY(text, ReadTextFile(context.Absolute(options.token_file), 1 << 16));
  } else {
    text = context.Env("OTE_TOKEN");
  }
  text = Trim(std::move(text));
  if (text.empty()) {
    return Fail(ErrorId::kUsage, "ote cluster join: a token is missing",
                "make one at the root: ote cluster token create");
  }
  auto token = crypto::JoinToken::Parse(text);
  crypto::Wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return token;
}

// The name asked for, or the machine's own as far as it is one that a cluster may have.
Result<std::string> ChooseName(const JoinOptions& options) {
  std::string name = options.name;
  if (name.empty()) {
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) == 0) name = host.data();
    name = name.substr(0, name.find('.'));
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    if (!CheckName("cluster", name)) {
      return Fail(ErrorId::kUsage, "ote cluster join: --name is missing", "give the cluster a name: --name clinic-a");
    }
  }
  OTE_CHECK(CheckName("cluster", name));
  return name;
}

// Opens the link to the first endpoint that answers with the pinned key.
Result<wire::Client> Connect(const crypto::JoinToken& token, const crypto::TransportKey& key, milliseconds patience) {
  Error last{ErrorId::kUnreachable, "the token holds no endpoint", {}};
  for (const std::string& endpoint : token.endpoints) {
    OTE_TRY(auto transport, wire::MakeZmqTransport(nullptr, nullptr));
    auto client = wire::Client::Open(std::move(transport), {endpoint, token.parent_key}, key, patience);
    if (client) return client;
    last = std::move(client).error();
    if (last.id == ErrorId::kPermission) {
      // It holds the pinned key, so it is the root; it does not know the key that comes from this token's secret.
      return Fail(ErrorId::kTokenUnknown, fmt::format("token {}: the root at {} does not know it", token.id, endpoint),
                  "make another one at the root: ote cluster token create");
    }
    if (last.id == ErrorId::kPinMismatch && last.hint.empty()) {
      last.hint = "the token is for another root, or somebody stands in between; nothing was sent";
    }
    if (last.id == ErrorId::kUnreachable && last.hint.empty()) {
      last.hint = "check that the root runs and that this machine reaches " + endpoint;
    }
  }
  return Fail(std::move(last).Context(fmt::format("token {}", token.id)));
}

// Gives whether the root had the same keys under this name before.
Result<bool> Enrol(Context& context, const crypto::JoinToken& token, const std::string& name,
                   const JoinOptions& options, const store::StateFolder& folder, milliseconds patience) {
  OTE_CHECK(folder.Create());
  OTE_TRY(const crypto::SigningKey sign, folder.SignKey());
  OTE_TRY(const crypto::TransportKey transport, folder.TransportKey());
  OTE_CHECK(folder.ControlKey());
  const crypto::TransportKey enrolment = token.EnrolmentKey();
  OTE_TRY(wire::Client client, Connect(token, enrolment, patience));
  const UnixMillis now = context.clock.WallNow();
  auto enrolled = wire::Enrol(client, token, name, options.labels, sign, transport.Public(), now, patience);
  if (!enrolled) return Fail(std::move(enrolled).error());

  store::Membership member;
  member.name = name;
  member.authority_key = enrolled->authority_key;
  member.successions = enrolled->successions;
  OTE_TRY(const auto certificate,
          crypto::CheckCertificate(enrolled->reply.certificate, member.AuthorityKey(), crypto::Validity{.now = now}));
  member.role = certificate.role;
  member.certificate = enrolled->reply.certificate;
  member.revocations = enrolled->reply.revocations;
  member.parent =
      store::ParentRef{token.endpoints, Bytes(token.parent_key.bytes.begin(), token.parent_key.bytes.end())};
  member.settings = enrolled->reply.settings;
  member.place = enrolled->reply.place;
  member.listen = options.listen;
  member.advertise = options.advertise;
  member.shim = options.shim;
  OTE_CHECK(folder.SaveMembership(member));
  return enrolled->reply.already;
}

// A repeated join that asks for other endpoints, or another shim: the agent is started again with them.
Result<bool> Change(Context& context, const JoinOptions& options, const store::StateFolder& folder) {
  OTE_TRY(auto member, folder.LoadMembership());
  const bool elsewhere = !options.listen.empty() && !SameEndpoints(options.listen, member.listen);
  const bool otherwise = !options.shim.empty() && options.shim != member.shim;
  if (!elsewhere && !otherwise) return false;
  OTE_CHECK(StopAgent(context, folder, kStopWait, false));
  OTE_TRY(member, folder.LoadMembership());
  if (elsewhere) {
    member.listen = options.listen;
    member.advertise = options.advertise;
  }
  if (otherwise) member.shim = options.shim;
  OTE_CHECK(folder.SaveMembership(member));
  return true;
}

// A repeated join. The membership may be one that the root has withdrawn since: unless the agent is connected, the root
// is asked with the new token, and what it grants is taken. Gives whether the cluster was admitted anew.
Result<bool> Refresh(Context& context, const crypto::JoinToken& token, const store::Membership& member,
                     const JoinOptions& options, const store::StateFolder& folder) {
  if (auto link = AgentLink::OpenAt(folder.path)) {
    auto status = link->Ask<api::AgentStatus>(api::verb::kAgentStatus, api::Empty{});
    if (status && status->connected) return false;
  }
  auto again = options;
  if (again.listen.empty()) {
    again.listen = member.listen;
    again.advertise = member.advertise;
  }
  if (again.shim.empty()) again.shim = member.shim;
  auto already = Enrol(context, token, member.name, again, folder, context.Patience(kRetryWait));
  if (already) {
    // The same member, by another key or at another place of its parent.
    const Bytes pin(token.parent_key.bytes.begin(), token.parent_key.bytes.end());
    const bool elsewhere =
        !member.parent || member.parent->transport_key != pin || member.parent->endpoints != token.endpoints;
    const bool anew = !*already || elsewhere;
    // The agent that runs holds the certificate that was; it is started again with this one.
    if (anew) OTE_CHECK(StopAgent(context, folder, kStopWait, false));
    return anew;
  }
  // The token may long be used up, or the root out of reach: the membership that is there is good until it is refused.
  const ErrorId id = already.error().id;
  if (id == ErrorId::kNameTaken || id == ErrorId::kRevoked || id == ErrorId::kClockOff) {
    return Fail(std::move(already).error());
  }
  Warn(context, "the root was not asked: " + already.error().message);
  return false;
}

Result<void> DryRun(Context& context, const crypto::JoinToken& token, const std::string& name) {
  const crypto::TransportKey enrolment = token.EnrolmentKey();
  OTE_TRY(wire::Client client, Connect(token, enrolment, context.Patience(kConnectWait)));
  OTE_CHECK(client.Ask<api::EnrolHello>(api::verb::kEnrolHello, api::Empty{}, context.Patience(kConnectWait)));
  Say(context, fmt::format("cluster {}: would join through {}", name, token.endpoints.front()));
  return {};
}

}  // namespace

Result<Exit> Join(Context& context, const JoinOptions& options) {
  crypto::Init();
  OTE_CHECK(CheckWatch(context, options.watch));
  if (options.offline && !options.grant.empty()) {
    return Fail(ErrorId::kUsage, "--offline and --grant: the first asks, the second takes the answer", "give one");
  }
  if (options.offline) return JoinOffline(context, options);
  if (!options.grant.empty()) return JoinByGrant(context, options);
  OTE_CHECK(CheckEndpoints(options.listen));
  OTE_CHECK(CheckEndpoints(options.advertise));
  OTE_TRY(const crypto::JoinToken token, ReadToken(context, options));
  OTE_TRY(const ChosenState chosen, ChooseState(context));
  const store::StateFolder folder{chosen.path};
  auto member = folder.LoadMembership();
  if (!member && member.error().id != ErrorId::kNotEnrolled) return Fail(std::move(member).error());

  if (member && member->Knows(token.authority)) {
    if (!options.name.empty() && options.name != member->name) {
      return Fail(ErrorId::kConflict,
                  fmt::format("{}: is member {} of this root already, not {}", folder.path.string(), member->name,
                              options.name),
                  "use another --state for another cluster");
    }
    bool anew = false;
    if (!context.flags.dry_run && member->role != crypto::Role::kRoot) {
      OTE_TRY(anew, Refresh(context, token, *member, options, folder));
      OTE_TRY(const bool changed, Change(context, options, folder));
      if (changed) Say(context, fmt::format("cluster {}: its settings were changed", member->name));
    }
    Say(context,
        fmt::format("cluster {}: {}", member->name, anew ? "joined again" : "is a member of this root already"));
    if (context.flags.dry_run) return Exit::kDone;
    OTE_CHECK(KeepWatch(context, folder, options.watch));
    return FinishEnlisting(context, folder, !anew, options.no_start);
  }
  OTE_TRY(const std::string name, ChooseName(options));
  if (member) {
    if (!options.replace) {
      return Fail(ErrorId::kAlreadyMember, fmt::format("{}: is {} of another root", folder.path.string(), member->name),
                  "use another --state, or give that membership up with --replace");
    }
    if (!context.flags.dry_run) {
      OTE_CHECK(
          Confirm(context, fmt::format("give up the membership of {} in {}", member->name, folder.path.string())));
      OTE_TRY(const std::filesystem::path kept, PutAside(context, folder));
      Say(context, fmt::format("the state of {} was moved to {}", member->name, kept.string()));
    }
  }
  if (context.flags.dry_run) {
    OTE_CHECK(DryRun(context, token, name));
    return Exit::kDone;
  }
  auto enrolled = Enrol(context, token, name, options, folder, context.Patience(kConnectWait));
  if (!enrolled) return Fail(std::move(enrolled).error());
  Say(context, fmt::format("cluster {}: joined", name));
  OTE_CHECK(KeepWatch(context, folder, options.watch));
  OTE_TRY(const Exit exit, FinishEnlisting(context, folder, false, options.no_start));
  Next(context, "ote data add NAME --path FILE --label COLUMN --state " + folder.path.string());
  return exit;
}

Command JoinCommand() {
  auto options = std::make_shared<JoinOptions>();
  Command c("join", "enrol this machine with a token, and start its agent");
  c.About(
      "Makes the keys of the cluster here, checks that the root is the one that made the token before anything is "
      "sent, proves the token's secret without sending it, and keeps the certificate that the root issues. Twice is "
      "safe: on a member it says so and makes sure that the agent runs. With no network the cluster asks by a file "
      "(--offline), which ote cluster approve at the root answers with another (--grant); the key never leaves it, no "
      "agent is needed, and ote fl train takes the tasks that are carried to it.");
  c.Argument("TOKEN", options->token, "the token, or - for standard input; otherwise --token-file or OTE_TOKEN");
  c.Optional();
  c.Option("--token-file", "FILE", options->token_file, "read the token from a file").Completes(Names::kFile);
  c.Option("--name", "NAME", options->name, "the name of this cluster, unique in the tree")
      .Fallback("this machine's name");
  c.Option("--label", "KEY=VALUE", options->labels, "a label of this cluster, beside those that the token gives");
  c.Option("--listen", "ENDPOINT", options->listen,
           "take children: where they connect to, such as tcp://0.0.0.0:7440; port 0 picks a free port and keeps it");
  c.Option("--advertise", "ENDPOINT", options->advertise,
           "what children are told, where it differs from --listen (behind a NAT, say)");
  c.Option("--shim", "KIND[:REST]", options->shim,
           "what runs apps here: process, kubernetes[:KUBECONFIG], none, or exec:COMMAND (ote-shim(7))")
      .Fallback("process");
  c.Switch("--replace", options->replace, "give up the membership of another root that the state folder holds");
  c.Switch("--no-start", options->no_start, "do not start the agent");
  AddWatchFlags(c, options->watch);
  c.Switch("--offline", options->offline, "with no network: write a request, to be carried to the root; -o names it");
  c.Option("-o,--out", "FILE", options->out, "with --offline: the request").Completes(Names::kFile);
  c.Option("--grant", "FILE", options->grant, "with no network: take the root's answer").Completes(Names::kFile);
  c.Option("--fingerprint", "TEXT", options->fingerprint, "with --grant: of the root's authority, as it tells it");
  c.Switch("--check-dates", options->check_dates, "with --grant: this clock is right; look at dates, too");
  c.Switch("--force", options->force, "with --offline: overwrite what is there");
  c.Example("ote cluster join - --name clinic-a < token", "with the token in a file");
  c.Example("ote cluster join - --name eu --listen tcp://0.0.0.0:7440 < token",
            "as a relay, which others join through");
  c.Example("ssh hq ote cluster token create -q | ote cluster join - --name clinic-a", "with a token made this moment");
  c.Example("ote cluster join --offline --name clinic-c -o clinic-c.request", "with no network: ask by a file");
  c.Example("ote cluster join --grant clinic-c.grant --fingerprint kPPuAb2P1L1b4KkPqrXpYAz5bPpZ9bWfOE1Yd8kVdNg",
            "and take the answer");
  c.Exits({Exit::kFailed, Exit::kRefused, Exit::kUnreachable, Exit::kConflict, Exit::kVerification});
  c.Changes();
  c.Does([options](Context& context) { return Join(context, *options); });
  return c;
}

}  // namespace ote::cli
