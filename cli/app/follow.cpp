// ote app status --watch, and the wait of those that change something.
#include "cli/app/follow.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <thread>

#include "cli/app/commands.h"
#include "cli/app/show.h"
#include "cli/frame/interrupt.h"
#include "cli/frame/progress.h"
#include "cli/frame/report.h"

namespace ote::cli {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kForever = std::chrono::hours(24 * 365);
constexpr milliseconds kAwayWait{60'000};
constexpr milliseconds kRetry{250};

struct StatusOptions {
  std::string app;
  bool watch = false;
};

// Tells what is new in a view, a line for each cluster that changed.
class Teller {
 public:
  Teller(Context& context, Progress& progress) : context_(context), progress_(progress) {}
  void Take(const api::AppView& view) {
    for (const auto& site : view.clusters) {
      auto text = fmt::format("{} {}{}{}", NameOf(site.phase), site.online || site.by_hand ? "" : "(away) ",
                              site.revision > 0 ? fmt::format("revision {}", site.revision) : "",
                              site.message.empty() ? "" : ": " + site.message);
      auto& before = told_[site.cluster];
      if (before == text) continue;
      before = text;
      progress_.Change(Printable(fmt::format("{}  {}  {}", AppName(view), site.cluster, text)), ToJson(site));
    }
    progress_.Now(fmt::format("{}  revision {}  {}", AppName(view), view.revision, CountsText(view.counts)));
    if (context_.flags.output == Format::kJsonl) PrintLine(context_, ToJson(view), false);
  }

 private:
  Context& context_;
  Progress& progress_;
  std::map<std::string, std::string> told_;
};

Result<Exit> Status(Context& context, const StatusOptions& options) {
  if (!options.watch) {
    OTE_TRY(const auto view, FetchApp(context, options.app));
    SayShare(context, view);
    const auto table = SitesTable(view, context.clock.WallNow());
    PrintOne(context, ToJson(view),
             fmt::format("{}  revision {}  {}  {}\n\n{}", AppName(view), view.revision, AppWord(view),
                         CountsText(view.counts), table.Text(context.flags.output == Format::kWide)),
             AppName(view));
    return Exit::kDone;
  }
  api::AppView last;
  OTE_TRY(const auto view, FollowApp(context, options.app, last, [](const auto& seen) { return seen.removed; }));
  if (context.flags.output == Format::kJsonl) {
    PrintLine(context, ToJson(view), true);
  } else {
    PrintOne(context, ToJson(view), fmt::format("{}: removed\n", AppName(view)), AppName(view));
  }
  return Exit::kDone;
}

}  // namespace

Result<api::AppView> FollowApp(Context& context, const std::string& app, api::AppView& last,
                               const std::function<bool(const api::AppView&)>& enough) {
  const Interruption interruption;
  Progress progress(context);
  Teller teller(context, progress);
  const milliseconds end = context.clock.SteadyNow() + context.Patience(kForever);
  std::optional<milliseconds> away_since;
  const auto ended = [&](ErrorId id, std::string_view why) {
    return Fail(id, fmt::format("app {}: {}; it goes on", app, why), "ote app status --watch " + app);
  };
  while (true) {
    const milliseconds now = context.clock.SteadyNow();
    if (now >= end) return ended(ErrorId::kTimedOut, "not over within --timeout");
    if (interruption.Token().stop_requested()) return ended(ErrorId::kInterrupted, "no longer watched");
    bool settled = false;
    auto link = AgentLink::Open(context);
    const Result<wire::Envelope> over = [&]() -> Result<wire::Envelope> {
      if (!link) return Fail(link.error());
      return link->Wire().Stream(
          api::verb::kAppWatch, ToJson(api::NameRequest{app}), end - now,
          [&](wire::Envelope&& item) -> Result<void> {
            OTE_TRY(last, FromWire<api::AppView>(item.body));
            away_since.reset();
            teller.Take(last);
            settled = enough(last);
            if (settled) return Fail(ErrorId::kInterrupted, "seen enough");
            return {};
          },
          interruption.Token());
    }();
    if (settled) return last;
    if (over) return FromWire<api::AppView>(over->body);
    const ErrorId why = over.error().id;
    if (why == ErrorId::kInterrupted) return ended(why, "no longer watched");
    if (why == ErrorId::kTimedOut) continue;
    if (why != ErrorId::kUnreachable && why != ErrorId::kBusy) return Fail(over.error());
    if (!away_since) away_since = now;
    if (context.clock.SteadyNow() - *away_since > kAwayWait) {
      return ended(ErrorId::kUnreachable, "the agent is away: " + over.error().message);
    }
    progress.Now(app + "  waits for the agent to come back");
    std::this_thread::sleep_for(kRetry);
  }
}

Result<Exit> AwaitRevision(Context& context, const std::string& app, std::int64_t revision) {
  api::AppView last;
  const bool bounded = context.flags.timeout.has_value();
  const auto outcome = [revision](const api::AppView& view) {
    const auto* found = view.Find(revision);
    return found == nullptr ? api::RevisionOutcome::kSuperseded : found->outcome;
  };
  const auto followed = FollowApp(context, app, last, [&](const api::AppView& view) {
    switch (outcome(view)) {
      case api::RevisionOutcome::kRolling:
        return view.removed || view.counts.carry == view.counts.wanted ||
               (!bounded && view.counts.pending == view.counts.wanted);
      case api::RevisionOutcome::kRolledBack:
        return view.phase != api::RolloutPhase::kRolling;
      case api::RevisionOutcome::kDone:
        // What is carried by hand nobody waits for.
        return !bounded || view.counts.pending == view.counts.carry || view.revision != revision;
      default:
        return true;
    }
  });
  const bool all_away = outcome(last) == api::RevisionOutcome::kRolling && last.counts.pending == last.counts.wanted;
  const bool partly = all_away || (outcome(last) == api::RevisionOutcome::kDone && last.counts.pending > 0);
  if (!followed && !(partly && followed.error().id == ErrorId::kTimedOut)) return Fail(followed.error());
  const auto& view = followed ? *followed : last;
  const auto* found = view.Find(revision);
  std::optional<Error> error;
  if (view.removed) {
    error = Error{ErrorId::kConflict, fmt::format("app {}: it was removed meanwhile", app), {}};
  } else if (outcome(view) == api::RevisionOutcome::kSuperseded) {
    error =
        Error{ErrorId::kConflict, fmt::format("app {}: revision {} took the place of {}", app, view.revision, revision),
              "ote app show " + app};
  } else if (outcome(view) != api::RevisionOutcome::kDone && !partly) {
    const bool back = outcome(view) == api::RevisionOutcome::kRolledBack;
    error = Error{ErrorId::kRolloutFailed,
                  fmt::format("app {}: revision {}: {}{}", app, revision, found->message,
                              back ? fmt::format("; went back, as revision {}", view.revision) : ""),
                  "ote app status " + app};
  }
  Json json = ToJson(view);
  if (error) json.update(ErrorDocument(*error));
  PrintOne(context, json, fmt::format("{}  revision {}  {}\n", AppName(view), view.revision, CountsText(view.counts)),
           AppName(view));
  if (error) return Fail(*error);
  if (partly) {
    const auto away = view.counts.pending - view.counts.carry;
    if (away > 0) {
      Warn(context, fmt::format("app {}: {} clusters are away, and get it when they return", app, away),
           "ote app status " + app);
    }
    WarnOfCarriage(context, view);
    return Exit::kPartly;
  }
  return Exit::kDone;
}

void WarnOfCarriage(Context& context, const api::AppView& view) {
  std::vector<std::string> names;
  for (const auto& site : view.clusters) {
    if (site.carry) names.push_back(site.cluster);
  }
  if (names.empty()) return;
  Warn(context,
       fmt::format("app {}: {} {} reached by files, which have to be carried", view.name, Join(names, ", "),
                   names.size() == 1 ? "is" : "are"),
       fmt::format("ote app export {} --cluster {} -o FILE", view.name, names.front()));
}

Command AppStatusCommand() {
  auto options = std::make_shared<StatusOptions>();
  Command c("status", "how an app is on each of its clusters");
  c.About(
      "A cluster that is away is shown as unknown, whatever it told last; one that is reached by files as its last "
      "receipt says. With --watch it is told again at each "
      "change, until Ctrl-C, --timeout, or the app is removed.");
  c.Argument("APP", options->app, "the app's name, or FROM/APP at a cluster that has it from above");
  c.Switch("-w,--watch", options->watch, "go on telling");
  c.Example("ote app status web", "as it is now");
  c.Example("ote app status web --watch -o jsonl", "each change, for a program");
  c.Exits({Exit::kTimedOut, Exit::kUnreachable, Exit::kNotFound, Exit::kInterrupted});
  c.Does([options](Context& context) { return Status(context, *options); });
  return c;
}

}  // namespace ote::cli
