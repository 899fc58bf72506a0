// ote cluster approve: the root's answer to a request that was carried to it.
#include <fmt/format.h>

#include "cli/by_hand/place.h"
#include "cli/by_hand/root.h"
#include "cli/cluster/commands.h"
#include "cli/cluster/enlist.h"
#include "cli/frame/link.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "core/api/by_hand.h"
#include "core/bundle/bodies.h"
#include "core/bundle/trust.h"

namespace ote::cli {
namespace {

struct ApproveOptions {
  std::filesystem::path file;
  PlaceOptions place;
  std::string fingerprint;
  Labels labels;
};

bundle::Package GrantOf(const store::Membership& root, const bundle::Bundle& request, const Bytes& receiver_key,
                        const api::ApproveReply& reply) {
  bundle::Package package;
  package.header = HeaderFrom(root, bundle::kind::kGrant, reply.cluster.name, receiver_key);
  package.header.stream = bundle::kEnrolStream;
  package.header.sequence = reply.sequence;
  package.header.answers = request.Digest();
  package.header.created = reply.created;
  package.header.revocations = reply.revocations;
  package.body = ToJson(bundle::GrantBody{root.authority_key, reply.certificate, reply.settings});
  return package;
}

Result<Exit> Approve(Context& context, const ApproveOptions& options) {
  crypto::Init();
  OTE_TRY(const auto place, PlaceOf(context, options.place, "ote cluster approve"));
  OTE_TRY(auto request, OpenWhole(context, options.file));
  OTE_CHECK(bundle::CheckKind(request.About(), bundle::kind::kRequest));
  OTE_TRY(const auto manifest, request.OpenManifest(nullptr));
  OTE_TRY(const auto body, bundle::ReadBody<bundle::RequestBody>(manifest.first.body));
  const auto& header = request.About();
  crypto::VerifyKey key;
  std::copy(header.sign_key.begin(), header.sign_key.end(), key.bytes.begin());
  const auto print = crypto::ToText(crypto::FingerprintOf(key));
  if (!options.fingerprint.empty() && options.fingerprint != print) {
    return Fail(ErrorId::kFingerprintWrong,
                fmt::format("cluster {}: the fingerprint of its key is {}, and {} was given", header.issuer, print,
                            options.fingerprint));
  }
  OTE_TRY(AgentLink link, AgentLink::Open(context));
  OTE_CHECK(link.NeedsFolder("to seal a grant"));
  std::vector<std::string> datasets;
  for (const auto& dataset : body.datasets) datasets.push_back(dataset.name);
  if (context.flags.dry_run) {
    Say(context, fmt::format("cluster {}: would be admitted, with the key {}", header.issuer, print));
    PrintOne(context, {{"name", header.issuer}, {"keyFingerprint", print}, {"datasets", datasets}},
             FactsText({{"name", header.issuer}, {"key", print}, {"data sets", Join(datasets, ", ")}}), header.issuer);
    return Exit::kDone;
  }
  api::ApproveRequest ask;
  ask.request = {request.Signed().body, request.Signed().signature, manifest.second};
  ask.labels = options.labels;
  OTE_TRY(const auto reply, link.Ask<api::ApproveReply>(api::verb::kClusterApprove, ask, context.Patience(kQuick)));
  OTE_TRY(const auto sign, SignKeyOf(link));
  OTE_TRY(const auto packed, bundle::Pack(GrantOf(link.Member(), request, body.transport_key, reply), sign, place));
  const auto own = FingerprintText(link.Member());
  Say(context, fmt::format("cluster {}: {}; wrote {}", header.issuer,
                           reply.already ? "is a member with this key already"
                           : body.rotate ? "its next keys are certified"
                                         : "admitted",
                           PlacedText(packed)));
  PrintOne(context,
           {{"name", header.issuer},
            {"keyFingerprint", print},
            {"fingerprint", own},
            {"datasets", datasets},
            {"file", place.path.string()},
            {"digest", packed.digest},
            {"already", reply.already}},
           FactsText({{"name", header.issuer},
                      {"key", print},
                      {"data sets", Join(datasets, ", ")},
                      {"grant", place.path.string()},
                      {"fingerprint", own}}),
           place.path.string());
  Next(context,
       fmt::format("at the site: ote cluster join --grant {} --fingerprint {}", place.path.filename().string(), own));
  return Exit::kDone;
}

}  // namespace

Command ApproveCommand() {
  auto options = std::make_shared<ApproveOptions>();
  Command c("approve", "admit a cluster by a request that was carried here, and write its grant");
  c.About(
      "Shows the name and the fingerprint of the key that asks: compare it with the one that the site tells, over "
      "another way than the file came, or give it with --fingerprint. The grant is sealed to that key. The same "
      "request again gives the same grant; a later request of the same key brings the root up to date with the "
      "site's data sets; another key under the same name is refused, unless the present one hands over to it (ote "
      "key rotate). The fingerprint that is printed last is the root's own, for the site.");
  c.Argument("FILE", options->file, "the request").Completes(Names::kFile);
  AddPlaceFlags(c, options->place, "the grant");
  c.Option("--fingerprint", "TEXT", options->fingerprint, "refuse a key with another one");
  c.Option("--label", "KEY=VALUE", options->labels, "a label of the cluster, beside those that it asks for");
  c.Example("ote cluster approve clinic-c.request -o clinic-c.grant", "admit it");
  c.Example("ote cluster approve clinic-c.request -o clinic-c.grant --dry-run", "say who asks");
  c.Exits({Exit::kFailed, Exit::kRefused, Exit::kUnreachable, Exit::kConflict, Exit::kNotFound, Exit::kVerification});
  c.Changes();
  c.Does([options](Context& context) { return Approve(context, *options); });
  return c;
}

}  // namespace ote::cli
