// ote bundle inspect and verify.
#include "cli/bundle/commands.h"

#include <fmt/format.h>

#include <fstream>

#include "cli/by_hand/place.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/frame/settings.h"
#include "core/base/units.h"
#include "core/bundle/trust.h"
#include "core/store/state_folder.h"

namespace ote::cli {
namespace {

struct InspectOptions {
  std::filesystem::path file;
};
struct VerifyOptions {
  std::filesystem::path file;
  std::string fingerprint;
  bool check_dates = false;
};

std::string KeyText(const Bytes& key) {
  if (key.size() != 32) return {};
  return crypto::ToText(crypto::AsKey(key));
}

std::string KeyPrint(const Bytes& key) {
  if (key.size() != 32) return {};
  return crypto::ToText(crypto::FingerprintOf(crypto::VerifyKey{crypto::AsKey(key)}));
}

Json HeaderJson(const bundle::Bundle& bundle) {
  const auto& header = bundle.About();
  std::int64_t revocations = 0;
  if (header.revocations) {
    if (const auto list = FromCbor<crypto::RevocationBody>(header.revocations->body)) revocations = list->number;
  }
  return {{"kind", header.kind},
          {"digest", bundle.Digest()},
          {"issuer", header.issuer},
          {"keyFingerprint", KeyPrint(header.sign_key)},
          {"receiver", header.receiver},
          {"sealed", header.Sealed()},
          {"authority", KeyText(header.authority)},
          {"stream", header.stream},
          {"sequence", header.sequence},
          {"run", header.run},
          {"round", header.round},
          {"step", header.step},
          {"answers", header.answers},
          {"created", header.created},
          {"version", header.version},
          {"size", bundle.Source().Size()},
          {"plainSize", header.plain_size},
          {"revocations", revocations}};
}

Facts HeaderFacts(const bundle::Bundle& bundle) {
  const auto& header = bundle.About();
  std::string place = header.run;
  if (!place.empty()) place += fmt::format(", round {}, {}", header.round, header.step);
  const auto by = bundle::TakenBy(header.kind);
  return {{"kind", header.kind},
          {"from", header.issuer},
          {"its key", KeyPrint(header.sign_key)},
          {"for", header.receiver.empty() ? "whoever has the authority" : header.receiver},
          {"authority", KeyText(header.authority)},
          {"run", place},
          {"number", fmt::format("{} of {}", header.sequence, header.stream)},
          {"answers", header.answers},
          {"made", FormatTime(header.created)},
          {"size", fmt::format("{}, {} unpacked", FormatSize(bundle.Source().Size()),
                               FormatSize(static_cast<std::uint64_t>(header.plain_size)))},
          {"sealed", header.Sealed() ? "yes" : "no"},
          {"digest", bundle.Digest()},
          {"taken by", std::string(by)}};
}

Json StateJson(const bundle::State& state) {
  return {{"whole", state.Whole()},         {"missingParts", state.missing}, {"chunks", state.chunks},
          {"damagedChunks", state.damaged}, {"goodUntil", state.good_until}, {"expectedSize", state.size},
          {"brokenOff", state.broken_off},  {"tooLong", state.too_long}};
}

Result<Exit> Inspect(Context& context, const InspectOptions& options) {
  const auto path = context.Absolute(options.file);
  OTE_TRY(auto bundle, bundle::Bundle::Open(path));
  OTE_TRY(const auto state, bundle.Check());
  Json json = HeaderJson(bundle);
  json["state"] = StateJson(state);
  auto facts = HeaderFacts(bundle);
  const auto judged = bundle::Judge(state, options.file);
  facts.emplace_back("content", judged ? "as it was signed" : judged.error().message);
  PrintOne(context, json, FactsText(facts), bundle.Digest());
  return Exit::kDone;
}

// By whom it was signed, as far as that can be told here: by the authority that is pinned in the state folder, or by
// the one whose fingerprint is given.
Result<std::string> Signer(Context& context, const VerifyOptions& options, bundle::Bundle& bundle,
                           const std::optional<store::Membership>& member) {
  const auto& header = bundle.About();
  std::optional<UnixMillis> dates;
  if (options.check_dates) dates = context.clock.WallNow();
  if (header.kind == bundle::kind::kRequest) {
    const auto print = KeyPrint(header.sign_key);
    if (!options.fingerprint.empty() && options.fingerprint != print) {
      return Fail(ErrorId::kFingerprintWrong,
                  fmt::format("the request is signed by a key with fingerprint {}, and {} was given", print,
                              options.fingerprint));
    }
    return fmt::format("the key {} itself", print);
  }
  if (!options.fingerprint.empty()) {
    OTE_TRY(const auto print, ReadFingerprint(options.fingerprint));
    if (header.authority.size() != 32 || crypto::AsKey(header.authority) != print) {
      return Fail(ErrorId::kFingerprintWrong, fmt::format("the bundle names the authority {}, and {} was given",
                                                          KeyText(header.authority), options.fingerprint));
    }
    if (!member) return fmt::format("not checked: the key of the authority {} is not here", options.fingerprint);
  }
  if (!member) return std::string("not checked: no authority is pinned here");
  OTE_TRY(const auto authority, bundle::AuthorityOf(header, member->AuthorityKey()));
  OTE_TRY(const auto issuer, bundle::CheckIssuer(header, authority, member->revocations, dates));
  return fmt::format("{}, a {} of the authority that is pinned here", issuer.name, NameOf(issuer.role));
}

Result<Exit> Verify(Context& context, const VerifyOptions& options) {
  crypto::Init();
  OTE_TRY(auto bundle, OpenWhole(context, options.file));
  OTE_TRY(const ChosenState chosen, ChooseState(context));
  const store::StateFolder folder{chosen.path};
  std::optional<store::Membership> member;
  if (auto loaded = folder.LoadMembership()) member = std::move(*loaded);
  OTE_TRY(const auto signer, Signer(context, options, bundle, member));
  // With the receiver's key the content is looked at, too: every byte of it, and nothing is kept.
  const auto& header = bundle.About();
  std::string content = "sealed for " + header.receiver;
  std::error_code ignored;
  const bool keys = std::filesystem::exists(folder.TransportKeyFile(), ignored);
  std::optional<crypto::TransportKey> key;
  if (keys) {
    OTE_TRY(auto loaded, folder.TransportKey());
    key.emplace(std::move(loaded));
  }
  const bool ours = key && std::equal(key->Public().bytes.begin(), key->Public().bytes.end(),
                                      header.receiver_key.begin(), header.receiver_key.end());
  std::size_t items = 0;
  if (!header.Sealed() || ours) {
    OTE_CHECK(bundle.Unpack(
        ours ? &*key : nullptr,
        [&](const bundle::Manifest& manifest, ByteView) -> Result<void> {
          items = manifest.items.size();
          return {};
        },
        [](const bundle::Item&, std::uint64_t, ByteView) -> Result<void> { return {}; }));
    content = fmt::format("opened: {} artifact{}", items, items == 1 ? "" : "s");
  }
  Json json = HeaderJson(bundle);
  json["signedBy"] = signer;
  json["opened"] = !header.Sealed() || ours;
  auto facts = HeaderFacts(bundle);
  facts.emplace_back("signed by", signer);
  facts.emplace_back("content", content);
  PrintOne(context, json, FactsText(facts), bundle.Digest());
  Say(context, fmt::format("{}: it holds", options.file.string()));
  return Exit::kDone;
}

Command InspectCommand() {
  auto options = std::make_shared<InspectOptions>();
  Command c("inspect", "say what a bundle is, who signed it and for whom, without a key");
  c.About(
      "Reads the header, and compares the digests of all chunks. Of a bundle in parts any part will do, or the name "
      "before .001; parts are found whatever they are called, and those that are missing or damaged are named. What "
      "is in a sealed bundle only its receiver can see.");
  c.Argument("FILE", options->file, "the bundle, or a part of it").Completes(Names::kFile);
  c.Example("ote bundle inspect round.task", "for people");
  c.Example("ote bundle inspect round.task.001 -o json", "of one in parts, for a program");
  c.Exits({Exit::kFailed, Exit::kVerification});
  c.Does([options](Context& context) { return Inspect(context, *options); });
  return c;
}

Command VerifyBundleCommand() {
  auto options = std::make_shared<VerifyOptions>();
  Command c("verify", "say whether a bundle holds");
  c.About(
      "Checks the digests of the chunks, the signature, and the certificate of the signer under the authority that is "
      "pinned in the state folder. With the receiver's state folder the content is opened as well, and checked to the "
      "last byte; nothing of it is kept. A copy that broke off is told up to which byte it is good.");
  c.Argument("FILE", options->file, "the bundle, or a part of it").Completes(Names::kFile);
  c.Option("--fingerprint", "TEXT", options->fingerprint, "the authority must have this one; of a request, its key");
  c.Switch("--check-dates", options->check_dates, "this clock is right: refuse certificates that have ended");
  c.Example("ote bundle verify round.task", "as the state folder sees it");
  c.Example("ote bundle verify clinic-c.request -o json", "a request, for a program");
  c.Exits({Exit::kFailed, Exit::kRefused, Exit::kVerification});
  c.Does([options](Context& context) { return Verify(context, *options); });
  return c;
}

}  // namespace

Command BundleCommand() {
  Command noun("bundle", "look at files that are carried by hand");
  noun.About(
      "Where there is no network, requests, grants, tasks, updates, receipts, models and apps travel as bundles: "
      "each one file, signed by its sender and sealed to its receiver, or several parts of one. ote-bundle(5) tells "
      "what is in them.");
  noun.Example("ote bundle inspect round.task", "what it is, and for whom");
  noun.Example("ote bundle verify round.task", "whether it holds");
  noun.Add(InspectCommand());
  noun.Add(VerifyBundleCommand());
  return noun;
}

}  // namespace ote::cli
