#include "agent/by_hand/app_intake.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/log.h"
#include "core/bundle/marks.h"
#include "core/bundle/trust.h"

namespace ote::agent {
namespace {

// The receipt that was written last of an app.
struct AppReceipt {
  static constexpr std::string_view kKind = "app-receipt";
  std::string key;   // of the app here
  std::string said;  // digest of what it says
  std::int64_t sequence = 0;
  UnixMillis created = 0;

  std::string Key() const { return key; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("key", self.key, kRequired);
    v("said", self.said, kRequired);
    v("sequence", self.sequence, kRequired);
    v("created", self.created);
  }
};

std::string KeyOf(const bundle::Header& header, const bundle::AppBody& body) { return header.issuer + "/" + body.app; }

}  // namespace

void AppIntake::Start() {
  context_.rpc.RegisterCall<api::AppImportRequest>(api::verb::kAppImport, kByOperator,
                                                   [this](const Request&, const auto& body) { return Import(body); });
}

Result<void> AppIntake::CheckParts(const Carried& carried, const bundle::AppBody& body, const std::string& root) const {
  const auto& header = carried.bundle.header;
  const auto mixed = [](std::string_view why) { return Fail(ErrorId::kBundleMixed, std::string(why)); };
  if (header.stream != fmt::format("{}/{}", bundle::kAppStream, body.app)) {
    return mixed("the bundle holds another app than it says");
  }
  if (!body.assignment) {
    if (!carried.manifest.items.empty()) return mixed("the bundle holds files of an app that is given up");
    return {};
  }
  const auto& assignment = *body.assignment;
  if (assignment.app != body.app || assignment.revision != body.revision || assignment.from != root) {
    return mixed("the bundle holds another app, or another revision, than it says");
  }
  if (api::DigestOf(assignment.workload) != assignment.digest) {
    return mixed("the workload in the bundle is not the one of its digest");
  }
  const auto files = bundle::FilesOf(assignment);
  const auto& items = carried.manifest.items;
  const bool fits = std::equal(
      items.begin(), items.end(), files.begin(), files.end(),
      [](const bundle::Item& item, const auto& file) { return item.digest == file.first && item.size == file.second; });
  if (!fits) return mixed("the bundle holds other files than those that the app has");
  return {};
}

Result<api::AppImportReply> AppIntake::Import(const api::AppImportRequest& request) {
  OTE_TRY(const auto carried, ReadCarried(request.bundle));
  const auto& header = carried.bundle.header;
  std::optional<UnixMillis> dates;
  if (request.now != 0) dates = request.now;
  OTE_TRY(const auto judged, site::Judge(context_.membership, transport_.Public(), header, bundle::kind::kApp, dates));
  OTE_TRY(const auto body, bundle::ReadBody<bundle::AppBody>(carried.manifest.body));
  OTE_CHECK(CheckParts(carried, body, judged.issuer.name));
  OTE_TRY(const auto seen, bundle::CheckMark(context_.store, carried.bundle));
  OTE_CHECK(site::CheckSeen(context_.store, context_.folder.path.string(), body.seen, request.restored));
  if (site_ == nullptr) {
    return Fail(ErrorId::kShimAbsent, fmt::format("{}: this agent runs no apps", context_.membership.name),
                "ote cluster join --grant FILE --shim process, with the agent stopped");
  }
  api::AppImportReply reply;
  reply.app = body.app;
  reply.cluster = header.issuer;
  reply.revision = body.revision;
  reply.gives_up = !body.assignment;
  reply.already = seen == bundle::Seen::kBefore;
  if (body.assignment) reply.health_ms = body.assignment->health_ms;
  if (request.receipt) {
    if (!reply.already) {
      return Fail(ErrorId::kConflict, fmt::format("app {}: the bundle was not taken, or another after it", body.app));
    }
    reply.receiver_key = judged.issuer.transport_key;
    OTE_CHECK(Report(carried, body, &reply));
    return reply;
  }
  if (!request.check && !reply.already) OTE_CHECK(Take(carried, body, judged));
  if (reply.already) reply.report = Now(KeyOf(header, body), body);
  return reply;
}

Result<void> AppIntake::Take(const Carried& carried, const bundle::AppBody& body, const site::Judged& judged) {
  const auto& header = carried.bundle.header;
  if (body.assignment) {
    for (const auto& file : body.assignment->workload.files) {
      if (context_.artifacts.Has(file.digest)) continue;
      return Fail(ErrorId::kArtifactMissing,
                  fmt::format("app {}: {} ({}) was not put here", body.app, file.path, file.digest));
    }
  }
  auto member = context_.membership;
  OTE_TRY(const bool news, site::AddNews(member, header, judged.authority, body.certificate));
  if (news) {
    OTE_CHECK(context_.folder.SaveMembership(member));
    context_.membership = std::move(member);
  }
  api::Command command;
  command.issuer = header.issuer;
  command.by = body.assignment ? body.assignment->by : header.issuer;
  command.verb = body.assignment ? "app.set" : "app.unset";
  command.body = body.assignment ? ToJson(*body.assignment) : ToJson(api::AppTarget{body.app, {}, {}});
  OTE_CHECK(site_->Carried(command));
  OTE_CHECK(bundle::PutMark(context_.store, carried.bundle));
  log::Info("app imported", {{"app", body.app}, {"revision", body.revision}, {"from", header.issuer}});
  return {};
}

api::AppReport AppIntake::Now(const std::string& key, const bundle::AppBody& body) const {
  api::AppReport report;
  report.app = body.app;
  report.revision = body.revision;
  report.status = site_->StatusAt(key);
  report.removed = !report.status;
  return report;
}

Result<void> AppIntake::Report(const Carried& carried, const bundle::AppBody& body, api::AppImportReply* reply) {
  const auto key = KeyOf(carried.bundle.header, body);
  auto report = Now(key, body);
  reply->answers = carried.bundle.digest;
  const Json said{{"answers", reply->answers}, {"report", ToJson(report)}};
  AppReceipt receipt;
  receipt.key = key;
  receipt.said = crypto::DigestOf(DumpCbor(said)).ToString();
  OTE_TRY(const auto before, context_.store.Get<AppReceipt>(key));
  if (before && before->said == receipt.said) {
    receipt = *before;
  } else {
    receipt.created = context_.clock.WallNow();
    auto kept = context_.store.Transaction([&]() -> Result<void> {
      OTE_TRY(receipt.sequence, site::NextSent(context_.store));
      return context_.store.Put(receipt);
    });
    OTE_CHECK(std::move(kept));
  }
  reply->report = std::move(report);
  reply->sequence = receipt.sequence;
  reply->created = receipt.created;
  return {};
}

}  // namespace ote::agent
