// ote fl import: an update at the root, a receipt at the site.
#include <fmt/format.h>

#include "cli/by_hand/place.h"
#include "cli/by_hand/root.h"
#include "cli/fl/commands.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/frame/settings.h"
#include "core/api/by_hand.h"
#include "core/bundle/bodies.h"
#include "core/bundle/trust.h"
#include "core/site/by_hand/hand_site.h"

namespace ote::cli {
namespace {

struct ImportOptions {
  std::filesystem::path file;
  PlaceOptions place;
  bool check_dates = false;
  bool restored = false;
};

Result<Exit> ImportReceipt(Context& context, const ImportOptions& options, bundle::Bundle& receipt) {
  OTE_TRY(const ChosenState chosen, ChooseState(context));
  OTE_TRY(auto site, site::HandSite::Open(store::StateFolder{chosen.path}, context.clock));
  site::HandSite::Trust trust;
  trust.restored = options.restored;
  if (options.check_dates) trust.dates = context.clock.WallNow();
  OTE_TRY(const auto body, site.TakeReceipt(receipt, trust, context.flags.dry_run));
  Say(context, fmt::format("run {}: the root has the answer to round {}{}", body.run, body.round,
                           body.over ? ", and the run has ended" : ""));
  PrintOne(context, ToJson(body),
           FactsText({{"run", body.run}, {"round", std::to_string(body.round)}, {"status", body.status}}), body.run);
  return Exit::kDone;
}

Result<bundle::Packed> WriteReceipt(const AgentLink& link, const api::ImportReply& taken, const bundle::Place& place) {
  OTE_TRY(const auto sign, SignKeyOf(link));
  bundle::Package package;
  auto& header = package.header;
  header = HeaderFrom(link.Member(), bundle::kind::kReceipt, taken.cluster, taken.receiver_key);
  header.stream = taken.run + "/receipts";
  header.sequence = taken.sequence;
  header.run = taken.run;
  header.round = taken.round;
  header.step = taken.step;
  header.answers = taken.update;
  header.created = taken.created;
  header.revocations = taken.revocations;
  package.body = ToJson(bundle::ReceiptBody{taken.update, taken.update_sequence, taken.run, taken.round, taken.step,
                                            taken.seen, taken.status, taken.over});
  return bundle::Pack(package, sign, place);
}

Result<Exit> Import(Context& context, const ImportOptions& options) {
  crypto::Init();
  OTE_TRY(auto update, OpenWhole(context, options.file));
  if (update.About().kind == bundle::kind::kReceipt) return ImportReceipt(context, options, update);
  OTE_CHECK(bundle::CheckKind(update.About(), bundle::kind::kUpdate));
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_TRY(const auto here, OpenHere(link, update));
  api::ImportRequest ask;
  ask.update = here.file;
  ask.check = true;
  OTE_TRY(auto taken, link.Ask<api::ImportReply>(api::verb::kFlImport, ask, context.Patience(kQuick)));
  if (context.flags.dry_run) {
    Say(context, fmt::format("run {}, round {}, {}: {}", taken.run, taken.round, taken.cluster,
                             taken.already ? "taken before" : "would be taken"));
    PrintOne(context, ToJson(taken), "", taken.run);
    return Exit::kDone;
  }
  if (!taken.already) {
    OTE_CHECK(PutItems(context, link, update, here.key));
    ask.check = false;
    OTE_TRY(taken, link.Ask<api::ImportReply>(api::verb::kFlImport, ask, context.Patience(kLong)));
  }
  PlaceOptions placing = options.place;
  if (placing.out.empty()) {
    placing.out = options.file;
    placing.out += ".receipt";
  }
  OTE_TRY(const auto place, PlaceOf(context, placing, "ote fl import"));
  Json json = ToJson(taken);
  for (const auto* hidden : {"receiverKey", "revocations", "sequence"}) json.erase(hidden);
  Say(context, fmt::format("run {}, round {}: the answer of {} {}", taken.run, taken.round, taken.cluster,
                           taken.already ? "was taken before; nothing is changed" : "is taken"));
  auto packed = WriteReceipt(link, taken, place);
  if (!packed) {
    // What counts is done. A medium that cannot be written to is no reason to say that it is not.
    Warn(context, "no receipt was written: " + packed.error().message, "name another place with -o FILE");
  } else {
    json["receipt"] = place.path.string();
  }
  PrintOne(context, json,
           FactsText({{"run", taken.run},
                      {"round", std::to_string(taken.round)},
                      {"cluster", taken.cluster},
                      {"status", taken.status},
                      {"receipt", packed ? place.path.string() : std::string()}}),
           taken.run);
  Next(context, taken.over ? fmt::format("ote fl show {}", taken.run)
                           : fmt::format("ote fl export {} --cluster {} -o FILE, when the next round is open",
                                         taken.run, taken.cluster));
  return Exit::kDone;
}

}  // namespace

Command ImportUpdateCommand() {
  auto options = std::make_shared<ImportOptions>();
  Command c("import", "take an update that was carried here, or, at a site, a receipt");
  c.About(
      "At the root: checks that the update is from the site, for this root, and answers the task that was exported in "
      "its round; hands it to the run; and writes a receipt for the way back. The same file again changes nothing, and "
      "gives the same receipt. At a site: takes the receipt, and lets go of what was kept for it. Receipts need not be "
      "carried: the next task says the same.");
  c.Argument("FILE", options->file, "the update, or the receipt").Completes(Names::kFile);
  AddPlaceFlags(c, options->place, "the receipt; FILE.receipt when it is not given");
  c.Switch("--check-dates", options->check_dates, "at a site: this clock is right; look at dates, too");
  c.Switch("--restored", options->restored,
           "at a site: this folder was restored from a copy; go on from what the root has");
  c.Example("ote fl import round.update", "at the root; writes round.update.receipt");
  c.Example("ote fl import round.update.receipt", "at the site");
  c.Exits({Exit::kFailed, Exit::kRefused, Exit::kUnreachable, Exit::kConflict, Exit::kNotFound, Exit::kVerification});
  c.Changes();
  c.Does([options](Context& context) { return Import(context, *options); });
  return c;
}

}  // namespace ote::cli
