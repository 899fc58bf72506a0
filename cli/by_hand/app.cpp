// ote app export and import: apps of clusters that are reached by files, and their receipts.
#include <fmt/format.h>

#include "cli/app/commands.h"
#include "cli/app/follow.h"
#include "cli/app/show.h"
#include "cli/by_hand/place.h"
#include "cli/by_hand/root.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "core/api/app_carried.h"
#include "core/bundle/bodies.h"
#include "core/bundle/trust.h"

namespace ote::cli {
namespace {

constexpr std::chrono::milliseconds kGrace{10'000};       // beside the app's own time to get healthy
constexpr std::chrono::milliseconds kWhenUnsaid{60'000};  // for an app that says none

struct ExportOptions {
  std::string app;
  std::string cluster;
  PlaceOptions place;
};
struct ImportOptions {
  std::filesystem::path file;
  PlaceOptions place;
  bool check_dates = false;
  bool restored = false;
  bool detach = false;
};

std::string StreamOf(const std::string& app) { return fmt::format("{}/{}", bundle::kAppStream, app); }

Result<Exit> Export(Context& context, const ExportOptions& options) {
  crypto::Init();
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_CHECK(link.NeedsFolder("to seal a bundle"));
  api::AppExportRequest ask{options.app, options.cluster, 0, {}, context.flags.dry_run};
  OTE_TRY(const auto out, link.Ask<api::AppExportReply>(api::verb::kAppExport, ask, context.Patience(kQuick)));
  const std::string what = out.assignment ? fmt::format("revision {}", out.revision) : "its removal";
  Json json{{"app", out.app}, {"cluster", out.cluster}, {"revision", out.revision}, {"removal", !out.assignment}};
  const Facts facts{{"app", out.app}, {"holds", what}, {"for", out.cluster}};
  if (context.flags.dry_run) {
    Say(context, "nothing was written");
    PrintOne(context, json, FactsText(facts), out.app);
    return Exit::kDone;
  }
  OTE_TRY(const auto place, PlaceOf(context, options.place, "ote app export"));
  OTE_TRY(const auto sign, SignKeyOf(link));
  bundle::Package package;
  package.header = HeaderFrom(link.Member(), bundle::kind::kApp, out.cluster, out.receiver_key);
  package.header.stream = StreamOf(out.app);
  package.header.sequence = out.sequence;
  package.header.created = out.created;
  package.header.revocations = out.revocations;
  package.body = ToJson(bundle::AppBody{out.app, out.revision, out.assignment, out.seen, out.certificate});
  if (out.assignment) {
    for (const auto& [digest, size] : bundle::FilesOf(*out.assignment)) {
      package.contents.push_back(AgentArtifact(context, link, digest, size));
    }
  }
  OTE_TRY(const auto packed, bundle::Pack(package, sign, place, [&](const std::string& digest) -> Result<void> {
            // The agent knows of the file before it shows: a receipt of another is refused.
            auto confirm = ask;
            confirm.sequence = out.sequence;
            confirm.digest = digest;
            OTE_CHECK(link.Ask<api::AppExportReply>(api::verb::kAppExport, confirm, context.Patience(kQuick)));
            return {};
          }));
  TellPacked(json, place, packed);
  Say(context, fmt::format("app {}: {} {}, {} for {}", out.app, packed.already ? "there already:" : "wrote",
                           PlacedText(packed), what, out.cluster));
  auto shown = facts;
  shown.emplace_back("file", place.path.string());
  PrintOne(context, json, FactsText(shown), place.path.string());
  Next(context, fmt::format("at {}: ote app import {}", out.cluster, place.path.filename().string()));
  return Exit::kDone;
}

// Until the app is healthy here, failed, or gone; or the time is over, which is no error: the receipt says how it is.
Result<void> Await(const Context& context, const api::AppImportReply& taken) {
  Context bounded = context;
  if (!bounded.flags.timeout) {
    bounded.flags.timeout = taken.health_ms > 0 ? std::chrono::milliseconds(taken.health_ms) + kGrace : kWhenUnsaid;
  }
  api::AppView last;
  const auto seen =
      FollowApp(bounded, fmt::format("{}/{}", taken.cluster, taken.app), last, [&](const api::AppView& view) {
        return view.removed || (!taken.gives_up && view.phase != api::RolloutPhase::kRolling);
      });
  const bool gone = !seen && taken.gives_up && seen.error().id == ErrorId::kAppUnknown;
  if (!seen && !gone && seen.error().id != ErrorId::kTimedOut) return Fail(seen.error());
  return {};
}

Result<bundle::Packed> WriteReceipt(const AgentLink& link, const api::AppImportReply& said,
                                    const bundle::Place& place) {
  OTE_TRY(const auto sign, SignKeyOf(link));
  // It may have changed by what the bundle brought.
  OTE_TRY(const auto member, link.Folder().LoadMembership());
  bundle::Package package;
  package.header = HeaderFrom(member, bundle::kind::kAppReceipt, said.cluster, said.receiver_key);
  package.header.stream = StreamOf(said.app);
  package.header.sequence = said.sequence;
  package.header.answers = said.answers;
  package.header.created = said.created;
  package.header.revocations = member.revocations;
  package.body = ToJson(*said.report);
  return bundle::Pack(package, sign, place);
}

std::string WordOf(const api::AppReport& report) {
  if (report.removed) return "removed";
  if (!report.status->overridden_by.empty()) return "overridden by " + report.status->overridden_by;
  return std::string(NameOf(report.status->phase));
}

// How it ended here, for people and for the exit status.
std::pair<std::string, Exit> Outcome(const api::AppImportReply& said) {
  const auto& report = *said.report;
  if (report.removed) return {WordOf(report), Exit::kDone};
  if (said.gives_up) return {"not stopped yet", Exit::kTimedOut};
  const auto& status = *report.status;
  if (!status.overridden_by.empty()) return {WordOf(report), Exit::kDone};
  if (status.rolled_back_from == said.revision) {
    return {fmt::format("went back to revision {}", status.revision), Exit::kFailed};
  }
  const auto word = WordOf(report);
  if (status.phase == api::AppPhase::kHealthy) return {word, Exit::kDone};
  return {word, status.phase == api::AppPhase::kFailed ? Exit::kFailed : Exit::kTimedOut};
}

Result<Exit> Intake(Context& context, const ImportOptions& options, bundle::Bundle& file) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(const auto here, OpenHere(link, file));
  api::AppImportRequest ask;
  ask.bundle = here.file;
  ask.check = true;
  ask.restored = options.restored;
  if (options.check_dates) ask.now = context.clock.WallNow();
  OTE_TRY(auto taken, link.Ask<api::AppImportReply>(api::verb::kAppImport, ask, context.Patience(kQuick)));
  const auto what = taken.gives_up ? "its removal" : fmt::format("revision {}", taken.revision);
  const auto name = fmt::format("{}/{}", taken.cluster, taken.app);
  Json json{{"app", name}, {"revision", taken.revision}, {"removal", taken.gives_up}, {"already", taken.already}};
  if (context.flags.dry_run) {
    Say(context, fmt::format("app {}: {} {}", name, what, taken.already ? "was taken before" : "would be taken"));
    PrintOne(context, json, FactsText({{"app", name}, {"holds", what}}), name);
    return Exit::kDone;
  }
  const bool before = taken.already;
  if (!before) {
    OTE_CHECK(PutItems(context, link, file, here.key));
    ask.check = false;
    OTE_TRY(taken, link.Ask<api::AppImportReply>(api::verb::kAppImport, ask, context.Patience(kLong)));
  }
  Say(context, fmt::format("app {}: {} {}", name, what, before ? "was taken before; nothing is changed" : "is taken"));
  if (!options.detach && !before) OTE_CHECK(Await(context, taken));
  ask.check = false;
  ask.receipt = true;
  OTE_TRY(const auto said, link.Ask<api::AppImportReply>(api::verb::kAppImport, ask, context.Patience(kQuick)));
  const auto [word, exit] = Outcome(said);
  PlaceOptions placing = options.place;
  if (placing.out.empty()) {
    placing.out = options.file;
    placing.out += ".receipt";
    placing.force = true;  // one of earlier says less
  }
  OTE_TRY(const auto place, PlaceOf(context, placing, "ote app import"));
  const auto packed = WriteReceipt(link, said, place);
  if (packed) {
    json["receipt"] = place.path.string();
  } else {
    Warn(context, "no receipt was written: " + packed.error().message, "name another place with -o FILE");
  }
  json["status"] = word;
  json["report"] = ToJson(*said.report);
  std::string message = said.report->status ? said.report->status->message : "";
  PrintOne(context, json,
           FactsText({{"app", name},
                      {"revision", std::to_string(taken.revision)},
                      {"status", word},
                      {"message", message},
                      {"receipt", packed ? place.path.string() : std::string()}}),
           name);
  Next(context, fmt::format("at the root: ote app import {}", place.path.filename().string()));
  if (exit != Exit::kDone && !options.detach && !before) {
    Warn(context, fmt::format("app {}: {}{}", name, word, message.empty() ? "" : ": " + message),
         "ote app show " + name);
    return exit;
  }
  return Exit::kDone;
}

Result<Exit> Receipt(Context& context, const ImportOptions& options, bundle::Bundle& file) {
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(const auto here, OpenHere(link, file));
  api::AppImportRequest ask;
  ask.bundle = here.file;
  ask.check = context.flags.dry_run;
  if (!options.place.out.empty()) return Fail(ErrorId::kUsage, "-o: nothing is written of a receipt");
  OTE_TRY(const auto taken, link.Ask<api::AppImportReply>(api::verb::kAppImport, ask, context.Patience(kQuick)));
  const auto& report = *taken.report;
  const std::string word = WordOf(report);
  Say(context, fmt::format("app {}: the receipt of {} {}: {}", taken.app, taken.cluster,
                           taken.already           ? "was taken before; nothing is changed"
                           : context.flags.dry_run ? "would be taken"
                                                   : "is taken",
                           word));
  PrintOne(context,
           {{"app", taken.app},
            {"cluster", taken.cluster},
            {"already", taken.already},
            {"asOf", taken.created},
            {"status", word},
            {"report", ToJson(report)}},
           FactsText({{"app", taken.app},
                      {"cluster", taken.cluster},
                      {"status", word},
                      {"revision", report.status ? std::to_string(report.status->revision) : ""},
                      {"message", report.status ? report.status->message : ""},
                      {"as of", FormatTime(taken.created)}}),
           taken.app);
  if (!report.removed) Next(context, "ote app status " + taken.app);
  return Exit::kDone;
}

Result<Exit> Import(Context& context, const ImportOptions& options) {
  crypto::Init();
  OTE_TRY(auto file, OpenWhole(context, options.file));
  if (file.About().kind == bundle::kind::kAppReceipt) return Receipt(context, options, file);
  OTE_CHECK(bundle::CheckKind(file.About(), bundle::kind::kApp));
  return Intake(context, options, file);
}

}  // namespace

Command ExportAppCommand() {
  auto options = std::make_shared<ExportOptions>();
  Command c("export", "write what a cluster is to have of an app to a file, to be carried there");
  c.About(
      "For a cluster that was admitted by files (ote cluster approve), once an app was deployed that is for it. The "
      "file is signed by the root and sealed to the cluster; it holds the present revision with its files, or, of an "
      "app that was removed or is not for the cluster any more, that it is to be given up. The same is the same file "
      "each time. Until the receipt is here the cluster is pending, and holds up no other.");
  c.Argument("APP", options->app, "the app's name");
  c.Option("--cluster", "NAME", options->cluster, "the cluster").Required().Completes(Names::kCluster);
  AddPlaceFlags(c, options->place, "the bundle");
  c.Example("ote app export web --cluster clinic-c -o app.bundle", "one file");
  c.Example("ote app export web --cluster clinic-c --dry-run", "say what it would hold");
  c.Exits({Exit::kFailed, Exit::kUnreachable, Exit::kConflict, Exit::kNotFound});
  c.Changes();
  c.Does([options](Context& context) { return Export(context, *options); });
  return c;
}

Command ImportAppCommand() {
  auto options = std::make_shared<ImportOptions>();
  Command c("import", "take an app that was carried here, or, at the root, its receipt");
  c.About(
      "At a cluster, whose agent must run (ote cluster start): checks that the root signed the file, for this cluster, "
      "later than what was taken of the app before; keeps what it wants and gives it to the shim; waits until the app "
      "is healthy, failed or gone; and writes a receipt for the way back. The same file again changes nothing, and "
      "gives a receipt of how the app is then. At the root: takes the receipt, which ote app status shows.");
  c.Argument("FILE", options->file, "the app, or the receipt").Completes(Names::kFile);
  AddPlaceFlags(c, options->place, "the receipt; FILE.receipt when it is not given");
  c.Switch("--detach", options->detach, "do not wait: the receipt says how the app is at once");
  c.Switch("--check-dates", options->check_dates, "at a cluster: this clock is right; look at dates, too");
  c.Switch("--restored", options->restored,
           "at a cluster: this folder was restored from a copy; go on from what the root has");
  c.Example("ote app import app.bundle", "at the cluster; writes app.bundle.receipt");
  c.Example("ote app import app.bundle.receipt", "at the root");
  c.Exits({Exit::kFailed, Exit::kTimedOut, Exit::kRefused, Exit::kUnreachable, Exit::kConflict, Exit::kNotFound,
           Exit::kVerification, Exit::kInterrupted});
  c.Changes();
  c.Does([options](Context& context) { return Import(context, *options); });
  return c;
}

}  // namespace ote::cli
