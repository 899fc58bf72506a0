// ote cluster join --offline and --grant: enrolment by files.
#include <fmt/format.h>

#include "cli/by_hand/place.h"
#include "cli/cluster/commands.h"
#include "cli/cluster/enlist.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/frame/settings.h"
#include "core/base/ids.h"
#include "core/site/by_hand/hand_site.h"

namespace ote::cli {

Result<Exit> JoinOffline(Context& context, const JoinOptions& options) {
  OTE_TRY(const auto place, PlaceOf(context, {options.out, {}, options.force}, "ote cluster join --offline"));
  OTE_TRY(const ChosenState chosen, ChooseState(context));
  const store::StateFolder folder{chosen.path};
  const bool known = site::HandSite::IsByHand(folder) || folder.LoadMembership().has_value();
  if (!known && options.name.empty()) {
    return Fail(ErrorId::kUsage, "ote cluster join --offline: --name is missing",
                "give the cluster a name: --name clinic-c");
  }
  if (!options.name.empty()) OTE_CHECK(CheckName("cluster", options.name));
  if (context.flags.dry_run) {
    Say(context, fmt::format("would write the request {}", place.path.string()));
    return Exit::kDone;
  }
  OTE_CHECK(folder.Create());
  OTE_TRY(auto site, site::HandSite::Open(folder, context.clock));
  OTE_TRY(const auto asked, site.MakeRequest(options.name, options.labels, place));
  if (auto named = RememberContext(context, asked.name, folder.path); !named) {
    Warn(context, "no context was made: " + named.error().message);
  }
  Say(context, fmt::format("cluster {}: {} {}", asked.name,
                           asked.file.already ? "the request is there already:" : "wrote", PlacedText(asked.file)));
  PrintOne(context,
           {{"name", asked.name},
            {"state", folder.path.string()},
            {"file", place.path.string()},
            {"fingerprint", asked.fingerprint},
            {"datasets", asked.datasets},
            {"digest", asked.file.digest},
            {"already", asked.file.already}},
           FactsText({{"name", asked.name},
                      {"state", folder.path.string()},
                      {"request", place.path.string()},
                      {"fingerprint", asked.fingerprint},
                      {"data sets", std::to_string(asked.datasets)}}),
           place.path.string());
  Next(context,
       fmt::format("at the root: ote cluster approve {} -o {}.grant", place.path.filename().string(), asked.name));
  return Exit::kDone;
}

Result<Exit> JoinByGrant(Context& context, const JoinOptions& options) {
  OTE_TRY(const ChosenState chosen, ChooseState(context));
  const store::StateFolder folder{chosen.path};
  std::optional<crypto::Fingerprint> fingerprint;
  if (!options.fingerprint.empty()) {
    OTE_TRY(fingerprint, ReadFingerprint(options.fingerprint));
  }
  OTE_TRY(auto grant, OpenWhole(context, options.grant));
  std::optional<UnixMillis> dates;
  if (options.check_dates) dates = context.clock.WallNow();
  bool already = false;
  {
    // The folder is let go of before it is looked at again.
    OTE_TRY(auto site, site::HandSite::Open(folder, context.clock));
    OTE_TRY(const auto granted, site.TakeGrant(grant, fingerprint, dates, context.flags.dry_run));
    already = granted.already;
    if (!options.shim.empty() && options.shim != granted.member.shim && !context.flags.dry_run) {
      auto member = granted.member;
      member.shim = options.shim;
      OTE_CHECK(folder.SaveMembership(member));
    }
    Say(context, fmt::format("cluster {}: {}", granted.member.name,
                             context.flags.dry_run ? "would be a member"
                             : already             ? "is a member by this grant already"
                                                   : "is a member; its tasks are carried to it"));
  }
  if (context.flags.dry_run) return Exit::kDone;
  OTE_CHECK(KeepWatch(context, folder, options.watch));
  OTE_TRY(const Exit exit, FinishEnlisting(context, folder, already, true));
  Next(context, "ote data add NAME --path FILE --label COLUMN --state " + folder.path.string());
  return exit;
}

}  // namespace ote::cli
