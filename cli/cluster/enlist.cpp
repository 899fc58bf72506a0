#include "cli/cluster/enlist.h"

#include <fmt/format.h>

#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/frame/settings.h"

namespace ote::cli {

std::string FingerprintText(const store::Membership& membership) {
  return crypto::ToText(crypto::FingerprintOf(membership.AuthorityKey()));
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
