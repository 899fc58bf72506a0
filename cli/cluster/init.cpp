// ote cluster init: become a root.
#include <fmt/format.h>

#include "cli/cluster/commands.h"
#include "cli/cluster/enlist.h"
#include "cli/frame/report.h"
#include "cli/frame/settings.h"
#include "core/base/ids.h"
#include "core/base/units.h"
#include "core/store/found.h"

namespace ote::cli {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

Result<void> CheckOptions(const InitOptions& options) {
  OTE_CHECK(CheckName("cluster", options.name));
  OTE_CHECK(CheckEndpoints(options.listen));
  OTE_CHECK(CheckEndpoints(options.advertise));
  if (options.heartbeat < milliseconds(50) || options.heartbeat > hours(1)) {
    return Fail(ErrorId::kUsage, "--heartbeat " + FormatDuration(options.heartbeat) + ": not between 50ms and 1h");
  }
  if (options.certificate_life < milliseconds(1000) || options.certificate_life > hours(24 * 3650)) {
    return Fail(ErrorId::kUsage,
                "--certificate-life " + FormatDuration(options.certificate_life) + ": not between 1s and 3650d");
  }
  return {};
}

Result<void> CheckSame(const InitOptions& options, const store::Membership& member, const store::StateFolder& folder) {
  const std::string hint =
      "choose another folder with --state, or see ote cluster status --state " + folder.path.string();
  if (member.role != crypto::Role::kRoot) {
    return Fail(ErrorId::kConflict,
                fmt::format("{}: holds the membership of {}, which is no root", folder.path.string(), member.name),
                hint);
  }
  if (member.name != options.name) {
    return Fail(ErrorId::kConflict,
                fmt::format("{}: is the root {}, not {}", folder.path.string(), member.name, options.name), hint);
  }
  if (!SameEndpoints(options.listen, member.listen)) {
    return Fail(ErrorId::kConflict, fmt::format("root {}: listens on {} already", member.name, member.listen.front()),
                hint);
  }
  return {};
}

}  // namespace

Result<Exit> Init(Context& context, const InitOptions& options) {
  OTE_CHECK(CheckOptions(options));
  OTE_CHECK(CheckWatch(context, options.watch));
  crypto::Init();
  OTE_TRY(const ChosenState chosen, ChooseState(context));
  const store::StateFolder folder{chosen.path};
  bool already = false;
  if (auto member = folder.LoadMembership()) {
    OTE_CHECK(CheckSame(options, *member, folder));
    already = true;
  } else if (member.error().id != ErrorId::kNotEnrolled) {
    return Fail(std::move(member).error());
  }
  if (context.flags.dry_run) {
    Say(context, already ? fmt::format("root {}: is there already, nothing would be changed", options.name)
                         : fmt::format("root {}: would be made in {}", options.name, folder.path.string()));
    return Exit::kDone;
  }
  if (already) {
    Say(context, fmt::format("root {}: is there already", options.name));
  } else {
    store::FoundOptions found;
    found.name = options.name;
    found.listen = options.listen;
    found.advertise = options.advertise;
    found.shim = options.shim;
    found.settings.heartbeat_ms = options.heartbeat.count();
    found.certificate_life_ms = options.certificate_life.count();
    OTE_CHECK(store::FoundTree(folder, found, context.clock.WallNow()));
    Say(context, fmt::format("root {}: made in {}", options.name, folder.path.string()));
  }
  OTE_CHECK(KeepWatch(context, folder, options.watch));
  OTE_TRY(const Exit exit, FinishEnlisting(context, folder, already, options.no_start));
  Next(context, "ote cluster token create");
  return exit;
}

Command InitCommand() {
  auto options = std::make_shared<InitOptions>();
  Command c("init", "become the root of a new tree, and start its agent");
  c.About(
      "Makes the state folder, the keys of the cluster, the authority key that signs the certificates of all "
      "members, and a context, then starts the agent and waits until it is ready. Twice with the same name and "
      "endpoints is safe: it says so and makes sure that the agent runs.");
  c.Argument("NAME", options->name, "the name of this cluster: a-z, 0-9 and '-'");
  c.Option("--listen", "ENDPOINT", options->listen, "where members connect to; port 0 picks a free port and keeps it");
  c.Option("--advertise", "ENDPOINT", options->advertise,
           "what tokens carry, where it differs from --listen (behind a NAT, say)");
  c.Option("--heartbeat", "DURATION", options->heartbeat, "members are unreachable after three of them without a sign");
  c.Option("--certificate-life", "DURATION", options->certificate_life,
           "of the certificates that this root issues; they renew themselves at two thirds of it");
  c.Option("--shim", "KIND[:REST]", options->shim, "what runs apps here: process, kubernetes, none, or exec:COMMAND")
      .Fallback("none");
  c.Switch("--no-start", options->no_start, "do not start the agent");
  AddWatchFlags(c, options->watch);
  c.Example("ote cluster init hq --listen tcp://0.0.0.0:7440", "a root that others can reach");
  c.Example("ote cluster init trial --listen tcp://127.0.0.1:0 --state /tmp/trial",
            "one for trials, on this machine only");
  c.Exits({Exit::kFailed, Exit::kConflict});
  c.Changes();
  c.Does([options](Context& context) { return Init(context, *options); });
  return c;
}

}  // namespace ote::cli
