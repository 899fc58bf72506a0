#include "cli/cluster/enlist.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/frame/settings.h"
#include "core/wire/zmq_endpoint.h"

namespace ote::cli {

std::string FingerprintText(const store::Membership& membership) {
  return crypto::ToText(crypto::FingerprintOf(membership.AuthorityKey()));
}

Result<void> CheckEndpoints(const std::vector<std::string>& endpoints) {
  for (const std::string& endpoint : endpoints) {
    OTE_TRY(const wire::Endpoint parsed, wire::ParseEndpoint(endpoint));
    if (parsed.scheme != wire::Scheme::kTcp) {
      return Fail(ErrorId::kEndpointInvalid, endpoint + ": not tcp://HOST:PORT");
    }
  }
  return {};
}

bool SameEndpoints(const std::vector<std::string>& asked, const std::vector<std::string>& kept) {
  return std::ranges::equal(asked, kept, [](const std::string& one, const std::string& other) {
    return one == other || (one.ends_with(":0") && other.starts_with(one.substr(0, one.size() - 1)));
  });
}

Result<Exit> FinishEnlisting(Context& context, const store::StateFolder& folder, bool already, bool no_start) {
  OTE_TRY(store::Membership member, folder.LoadMembership());
  if (auto named = RememberContext(context, member.name, folder.path); !named) {
    // A membership is worth more than a name for its folder.
    Warn(context, "no context was made: " + named.error().message);
  } else if (!*named) {
    Warn(context,
         fmt::format("context {} stays with another folder; use --state {}", member.name, folder.path.string()));
  }
  bool running = store::FolderLock::Held(folder);
  if (!no_start) {
    OTE_TRY(const Launched launched, LaunchAgent(context, folder, context.Patience(kReadyWait)));
    Say(context,
        fmt::format("agent of {}: {}", member.name, launched == Launched::kStarted ? "started" : "runs already"));
    running = true;
    // The ports that were picked for port 0 are in the file by now.
    OTE_TRY(member, folder.LoadMembership());
  }
  const std::string role(NameOf(member.role));
  std::vector<std::string> where = member.listen;
  if (member.parent) where = member.parent->endpoints;
  const Json json{{"name", member.name},
                  {"role", role},
                  {"state", folder.path.string()},
                  {"listen", member.listen},
                  {"fingerprint", FingerprintText(member)},
                  {"already", already},
                  {"running", running}};
  PrintOne(context, json,
           FactsText({{"name", member.name},
                      {"role", role},
                      {"state", folder.path.string()},
                      {member.parent ? "parent" : "listen", Join(where, ", ")},
                      {"fingerprint", FingerprintText(member)},
                      {"agent", running ? "running" : "not running"}}),
           member.name);
  return Exit::kDone;
}

}  // namespace ote::cli
