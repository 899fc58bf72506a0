// ote cluster init: become a root.
#include <fmt/format.h>

#include "cli/cluster/commands.h"
#include "cli/cluster/enlist.h"
#include "cli/frame/report.h"
#include "cli/frame/settings.h"
#include "core/base/ids.h"
#include "core/base/units.h"
#include "core/wire/zmq_endpoint.h"

namespace ote::cli {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

Bytes ToBytes(const std::array<std::uint8_t, 32>& bytes) { return {bytes.begin(), bytes.end()}; }

Result<void> CheckOptions(const InitOptions& options) {
  OTE_CHECK(CheckName("cluster", options.name));
  for (const auto& list : {options.listen, options.advertise}) {
    for (const std::string& endpoint : list) {
      OTE_TRY(const wire::Endpoint parsed, wire::ParseEndpoint(endpoint));
      if (parsed.scheme != wire::Scheme::kTcp) {
        return Fail(ErrorId::kEndpointInvalid, endpoint + ": not tcp://HOST:PORT");
      }
    }
  }
  if (options.heartbeat < milliseconds(50) || options.heartbeat > hours(1)) {
    return Fail(ErrorId::kUsage, "--heartbeat " + FormatDuration(options.heartbeat) + ": not between 50ms and 1h");
  }
  if (options.certificate_life < milliseconds(1000) || options.certificate_life > hours(24 * 3650)) {
    return Fail(ErrorId::kUsage,
                "--certificate-life " + FormatDuration(options.certificate_life) + ": not between 1s and 3650d");
  }
  return {};
}

// Whether `asked` is what was asked for when `kept` was written: port 0 stands for the one that was picked.
bool SameEndpoint(const std::string& asked, const std::string& kept) {
  if (asked == kept) return true;
  return asked.ends_with(":0") && kept.starts_with(asked.substr(0, asked.size() - 1));
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
  bool same = options.listen.size() == member.listen.size();
  for (std::size_t i = 0; same && i < options.listen.size(); ++i)
    same = SameEndpoint(options.listen[i], member.listen[i]);
  if (!same) {
    return Fail(ErrorId::kConflict, fmt::format("root {}: listens on {} already", member.name, member.listen.front()),
                hint);
  }
  return {};
}

Result<crypto::SigningKey> Authority(const store::StateFolder& folder) {
  std::error_code ignored;
  // One that is there was made by an init that was cut off.
  if (std::filesystem::exists(folder.AuthorityKeyFile(), ignored))
    return crypto::LoadSigningKey(folder.AuthorityKeyFile());
  crypto::SigningKey key = crypto::SigningKey::Generate();
  OTE_CHECK(crypto::SaveSigningKey(folder.AuthorityKeyFile(), key));
  return key;
}

Result<void> MakeRoot(Context& context, const InitOptions& options, const store::StateFolder& folder) {
  OTE_CHECK(folder.Create());
  OTE_TRY(const crypto::SigningKey sign, folder.SignKey());
  OTE_TRY(const crypto::TransportKey transport, folder.TransportKey());
  OTE_CHECK(folder.ControlKey());
  OTE_TRY(const crypto::SigningKey authority, Authority(folder));
  const UnixMillis now = context.clock.WallNow();

  crypto::CertificateBody certificate;
  certificate.serial = BigId{1};
  certificate.name = options.name;
  certificate.role = crypto::Role::kRoot;
  certificate.sign_key = ToBytes(sign.Public().bytes);
  certificate.transport_key = ToBytes(transport.Public().bytes);
  certificate.not_before = now;
  certificate.not_after = now + options.certificate_life.count();
  certificate.authority = ToBytes(crypto::FingerprintOf(authority.Public()));

  store::Membership member;
  member.name = options.name;
  member.role = crypto::Role::kRoot;
  member.authority_key = ToBytes(authority.Public().bytes);
  member.certificate = crypto::IssueCertificate(authority, certificate);
  crypto::RevocationBody nobody;
  nobody.issued_at = now;
  nobody.authority = certificate.authority;
  member.revocations = crypto::IssueRevocationList(authority, nobody);
  member.listen = options.listen;
  member.advertise = options.advertise;
  member.settings.heartbeat_ms = options.heartbeat.count();
  member.certificate_life_ms = options.certificate_life.count();
  return folder.SaveMembership(member);
}

}  // namespace

Result<Exit> Init(Context& context, const InitOptions& options) {
  OTE_CHECK(CheckOptions(options));
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
    OTE_CHECK(MakeRoot(context, options, folder));
    Say(context, fmt::format("root {}: made in {}", options.name, folder.path.string()));
  }
  OTE_TRY(const Exit exit, FinishEnlisting(context, folder, already, options.no_start));
  Next(context, "ote cluster token create");
  return exit;
}

Command InitCommand() {
  auto options = std::make_shared<InitOptions>();
  Command c("init", "become the root of a new tree, and start its agent");
  c.About(
      "Makes the state folder, the keys of the cluster, the authority key that signs the certificates of all members, "
      "and a "
      "context, then starts the agent and waits until it is ready. Twice with the same name and endpoints is safe: it "
      "says "
      "so and makes sure that the agent runs.");
  c.Argument("NAME", options->name, "the name of this cluster: a-z, 0-9 and '-'");
  c.Option("--listen", "ENDPOINT", options->listen, "where members connect to; port 0 picks a free port and keeps it");
  c.Option("--advertise", "ENDPOINT", options->advertise,
           "what tokens carry, where it differs from --listen (behind a NAT, say)");
  c.Option("--heartbeat", "DURATION", options->heartbeat, "members are unreachable after three of them without a sign");
  c.Option("--certificate-life", "DURATION", options->certificate_life,
           "of the certificates that this root issues; they renew themselves at two thirds of it");
  c.Switch("--no-start", options->no_start, "do not start the agent");
  c.Example("ote cluster init hq --listen tcp://0.0.0.0:7440", "a root that others can reach");
  c.Example("ote cluster init trial --listen tcp://127.0.0.1:0 --state /tmp/trial",
            "one for trials, on this machine only");
  c.Exits({Exit::kFailed, Exit::kConflict});
  c.Changes();
  c.Does([options](Context& context) { return Init(context, *options); });
  return c;
}

}  // namespace ote::cli
