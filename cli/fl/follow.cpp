#include "cli/fl/follow.h"

#include <fmt/format.h>

#include <optional>
#include <thread>

#include "cli/fl/failures.h"
#include "cli/fl/show_run.h"
#include "cli/frame/interrupt.h"
#include "cli/frame/output.h"
#include "cli/frame/progress.h"
#include "cli/frame/report.h"

namespace ote::cli {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kForever = std::chrono::hours(24 * 365);
constexpr milliseconds kAwayWait{60'000};  // how long an agent may be away
constexpr milliseconds kRetry{250};

// What a run is at, from its events.
class Picture {
 public:
  Picture(Context& context, Progress& progress, const std::string& run, std::int64_t rounds)
      : json_(context.flags.progress == ProgressMode::kJson),
        progress_(progress),
        failures_(context, progress, run),
        run_(run),
        rounds_(rounds) {}

  void Take(const api::RunEvent& event) {
    round_ = std::max(round_, event.round);
    if (event.kind == "round-started") folded_ = asked_ = 0;
    if (event.kind == "task-sent") ++asked_;
    if (event.kind == "update-folded") ++folded_;
    if (event.kind == "model-measured" && event.cluster.empty()) measured_ = event.message;
    if (event.kind == "run-paused") waits_ = event.message;
    if (event.kind == "run-resumed") waits_.clear();
    // Each message of each cluster would be noise; they are in the logs.
    const bool small = event.kind == "task-sent" || event.kind == "update-folded" ||
                       (event.kind == "model-measured" && !event.cluster.empty());
    // The animated line tells what goes on in a round; without it the end of one is the change of state.
    const bool steady = event.kind == "round-started" ||
                        (progress_.Animated() && (event.kind == "round-finished" || event.kind == "model-measured"));
    const bool failure = FailureTeller::Tells(event);
    if (failure) failures_.Take(event);
    // A failure is told by its warning; a program has its event as well.
    if (!small && !steady && (!failure || json_)) progress_.Change(Line(event), ToJson(event));
    progress_.Now(fmt::format("{}  round {}/{}  {} of {} updates  {}", run_, std::min(round_, rounds_), rounds_,
                              folded_, asked_, waits_.empty() ? measured_ : waits_));
  }
  // Nothing more comes.
  void End() {
    progress_.End();
    failures_.Count();
  }

 private:
  std::string Line(const api::RunEvent& event) const {
    std::string line = run_;
    if (event.round > 0) line += fmt::format("  round {}/{}", std::min(event.round, rounds_), rounds_);
    line += "  " + event.kind;
    if (!event.cluster.empty()) line += "  " + event.cluster;
    if (!event.phase.empty()) line += "  " + event.phase + ":";
    if (!event.message.empty()) line += "  " + event.message;
    if (!event.code.empty()) line += " [" + event.code + "]";
    if (!event.hint.empty()) line += "; hint: " + event.hint;
    return line;
  }

  bool json_;
  Progress& progress_;
  FailureTeller failures_;
  std::string run_;
  std::int64_t rounds_;
  std::int64_t round_ = 0;
  std::int64_t asked_ = 0;
  std::int64_t folded_ = 0;
  std::string measured_;
  std::string waits_;
};

// The error of a wait that ended before the run did, with the way back to it.
tl::unexpected<Error> Ended(const std::string& run, ErrorId id, const std::string& why) {
  return Fail(id, fmt::format("run {}: {}; the run goes on", run, why), "ote fl watch " + run);
}

}  // namespace

Result<api::Run> FollowRun(Context& context, const std::string& run, std::int64_t rounds) {
  const Interruption interruption;
  Progress progress(context);
  Picture picture(context, progress, run, rounds);
  const milliseconds end = context.clock.SteadyNow() + context.Patience(kForever);
  std::int64_t seen = 0;
  std::optional<milliseconds> away_since;
  while (true) {
    const milliseconds now = context.clock.SteadyNow();
    if (now >= end) return Ended(run, ErrorId::kTimedOut, "not over within --timeout");
    if (interruption.Token().stop_requested()) return Ended(run, ErrorId::kInterrupted, "no longer watched");
    auto link = AgentLink::Open(context);
    Result<wire::Envelope> last = [&]() -> Result<wire::Envelope> {
      if (!link) return Fail(link.error());
      return link->Wire().Stream(
          api::verb::kFlWatch, ToJson(api::WatchRequest{run, seen, true}), end - now,
          [&](wire::Envelope&& item) -> Result<void> {
            OTE_TRY(const api::RunEvent event, FromWire<api::RunEvent>(item.body));
            away_since.reset();
            seen = std::max(seen, event.seq);
            if (context.flags.output == Format::kJsonl) PrintLine(context, ToJson(event), false);
            picture.Take(event);
            return {};
          },
          interruption.Token());
    }();
    if (last) {
      picture.End();
      return FromWire<api::Run>(last->body);
    }
    const ErrorId why = last.error().id;
    if (why == ErrorId::kInterrupted) return Ended(run, why, "no longer watched");
    if (why == ErrorId::kTimedOut) continue;
    if (why != ErrorId::kUnreachable && why != ErrorId::kBusy) return Fail(std::move(last).error());
    if (!away_since) away_since = now;
    if (context.clock.SteadyNow() - *away_since > kAwayWait) {
      return Ended(run, ErrorId::kUnreachable, "the agent is away: " + last.error().message);
    }
    progress.Now(run + "  waits for the agent to come back");
    std::this_thread::sleep_for(kRetry);
  }
}

Result<Exit> FinishRun(Context& context, const api::Run& run) {
  const auto error = OutcomeOf(run);
  Json json = ToJson(run);
  if (error) json.update(ErrorDocument(*error));
  PrintOne(context, json, RunText(run, context.clock.WallNow()), run.id);
  if (error) return Fail(*error);
  return Exit::kDone;
}

}  // namespace ote::cli
