#include "agent/watch/watch.h"

#include <fmt/format.h>

#include <cstdlib>

#include "core/api/capacity.h"
#include "core/base/log_sink.h"
#include "core/base/units.h"
#include "core/base/version.h"
#include "core/store/watch_file.h"

namespace ote::agent {
namespace {

using api::Finding;
using api::FindingLevel;
using std::chrono::milliseconds;

// Beyond it a certificate that was just issued may count as not yet valid, or tokens as expired.
constexpr std::int64_t kClockWarning = 5'000;
constexpr std::int64_t kClockProblem = 120'000;

FindingLevel LevelOf(std::int64_t off) {
  const auto size = std::abs(off);
  if (size >= kClockProblem) return FindingLevel::kProblem;
  return size >= kClockWarning ? FindingLevel::kWarning : FindingLevel::kOk;
}

Finding ClockFinding(std::int64_t ahead) {
  const auto level = LevelOf(ahead);
  const auto off = FormatDuration(milliseconds(std::abs(ahead)));
  if (level == FindingLevel::kOk) return {"clock", level, "agrees with the parent's within " + off, "", ""};
  return {"clock", level, fmt::format("is {} {} the parent's", off, ahead > 0 ? "behind" : "ahead of"),
          "certificates and tokens have dates that both must read in the same way", "timedatectl set-ntp true"};
}

}  // namespace

Watch::~Watch() {
  metrics_.reset();
  if (shipper_) log::SetSink({});
}

Result<void> Watch::Start() {
  Context& context = watched_.context;
  wall_began_ = context.clock.WallNow();
  steady_began_ = context.clock.SteadyNow();
  OTE_TRY(const auto settings, store::LoadWatch(context.folder));
  if (!settings.ship.url.empty()) {
    OTE_TRY(shipper_, Shipper::Start(store::SpoolFolder(context.folder), context.membership.name, settings.ship));
    log::SetSink([shipper = shipper_.get()](const log::Record& record) { shipper->Take(record); });
  }
  if (!settings.metrics.empty()) {
    OTE_TRY(metrics_, Metrics::Serve(settings.metrics, context.post, [this] {
              return Gather(watched_, shipper_ ? std::optional(shipper_->Status()) : std::nullopt);
            }));
  }
  context.rpc.RegisterCall<api::Empty>(
      api::verb::kDoctorCheck, kByOperator,
      [this](const Request&, const auto&) -> Result<api::Findings> { return Check(); });
  return {};
}

api::Findings Watch::Check() const {
  const Context& context = watched_.context;
  api::Findings found;
  auto add = [&found](Finding finding) { found.items.push_back(std::move(finding)); };

  const auto jumped = (context.clock.WallNow() - wall_began_) - (context.clock.SteadyNow() - steady_began_).count();
  if (LevelOf(jumped) != FindingLevel::kOk) {
    add({"clock", FindingLevel::kWarning,
         fmt::format("the calendar jumped by {} since the agent started",
                     FormatDuration(milliseconds(std::abs(jumped)))),
         "it was set by hand, or a machine was restored or suspended", "timedatectl set-ntp true"});
  }
  if (const auto ahead = watched_.uplink.ClockAhead()) add(ClockFinding(*ahead));

  if (context.membership.parent) {
    if (watched_.uplink.Connected()) {
      add({"parent", FindingLevel::kOk, "connected, and welcomed", "", ""});
    } else {
      add({"parent", FindingLevel::kProblem, "not connected", watched_.uplink.Message(), ""});
    }
  }

  if (watched_.board != nullptr) {
    const auto shim = watched_.board->Get(context.membership.name, state::kShim, "");
    const auto status =
        shim ? FromWire<api::ShimStatus>(*shim) : Result<api::ShimStatus>(Fail(ErrorId::kShimAbsent, ""));
    if (!status) {
      add({"shim", FindingLevel::kOk, "none: nothing runs here", "", ""});
    } else if (status->healthy) {
      add({"shim", FindingLevel::kOk, fmt::format("{} {}: healthy", status->shim, status->version), "", ""});
    } else {
      add({"shim", FindingLevel::kProblem, fmt::format("{}: not healthy", status->shim), status->message,
           "ote cluster show " + context.membership.name});
    }
  }

  if (const auto dropped = context.transport.Dropped(); dropped > 0) {
    add({"queues", FindingLevel::kWarning, fmt::format("{} messages were dropped since the agent started", dropped),
         "a peer took them more slowly than they came", "ote cluster list"});
  } else {
    add({"queues", FindingLevel::kOk, "nothing was dropped", "", ""});
  }

  if (metrics_) found.metrics = metrics_->Address();
  if (shipper_) {
    const auto ship = shipper_->Status();
    const auto waiting = fmt::format("{} records wait in the spool", ship.waiting);
    if (!ship.message.empty()) {
      add({"logs", FindingLevel::kWarning, "not sent: " + waiting, ship.message, "check " + ship.url});
    } else if (ship.dropped > 0 || ship.refused > 0) {
      add({"logs", FindingLevel::kWarning,
           fmt::format("{} records were given up, {} refused", ship.dropped, ship.refused),
           ship.dropped > 0 ? "the spool was full before the other side took them"
                            : "the other side does not take them",
           ship.dropped > 0 ? "ote cluster start --ship-spool 256MiB" : "compare the mapping of the index"});
    } else {
      add({"logs", FindingLevel::kOk, fmt::format("{} records sent; {}", ship.sent, waiting), "", ""});
    }
    found.ship = ship;
  }
  return found;
}

}  // namespace ote::agent
