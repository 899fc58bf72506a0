// The root's side of apps at members that are reached by files.
#include <fmt/format.h>

#include "agent/by_hand/desk.h"
#include "core/base/log.h"
#include "core/bundle/marks.h"
#include "core/bundle/trust.h"

namespace ote::agent {

void HandDesk::ServeApps(AppDesk& apps) {
  apps_ = &apps;
  auto& rpc = context_.rpc;
  rpc.RegisterCall<api::AppExportRequest>(api::verb::kAppExport, kByOperator,
                                          [this](const Request&, const auto& body) { return ExportApp(body); });
  rpc.RegisterCall<api::AppImportRequest>(api::verb::kAppImport, kByOperator,
                                          [this](const Request&, const auto& body) { return ImportReceipt(body); });
}

Result<api::AppExportReply> HandDesk::ExportApp(const api::AppExportRequest& request) {
  OTE_TRY(const auto cluster, HandMember(request.cluster, !request.dry_run));
  OTE_TRY(auto wanted, apps_->WantedAt(request.app, cluster.name));
  api::AppExportReply out;
  out.cluster = cluster.name;
  OTE_TRY(const auto certified, CertifiedOf(cluster));
  out.receiver_key = certified.body.transport_key;
  out.app = request.app;
  out.revision = wanted.revision;
  out.assignment = std::move(wanted.assignment);
  OTE_TRY(out.seen, bundle::HighestOf(context_.store, cluster.name));
  out.certificate = certified.certificate;
  out.revocations = context_.membership.revocations;
  const auto content = crypto::DigestOf(ToCbor(out)).ToString();
  const auto* before = apps_->CarriedOf(request.app, cluster.name);
  CarriedApp row = before == nullptr ? CarriedApp{} : *before;
  const bool same = before != nullptr && row.content == content;
  if (!request.digest.empty()) {
    if (!same || row.sequence != request.sequence) {
      return Fail(ErrorId::kConflict, fmt::format("app {}: something else is wanted by now", request.app),
                  "export it once more");
    }
    if (std::find(row.digests.begin(), row.digests.end(), request.digest) == row.digests.end()) {
      row.digests.push_back(request.digest);
      if (row.digests.size() > CarriedApp::kMostDigests) row.digests.erase(row.digests.begin());
      log::Info("app exported", {{"app", row.app}, {"revision", row.revision}, {"cluster", row.cluster}});
    }
    row.exported = true;
    OTE_CHECK(apps_->KeepCarried(row));
  } else if (!same && !request.dry_run) {
    row.cluster = cluster.name;
    row.app = request.app;
    row.created = context_.clock.WallNow();
    row.content = content;
    row.exported = false;
    row.revision = out.revision;
    row.gives_up = !out.assignment;
    OTE_CHECK(apps_->KeepNumbered(row, kSentNumbers));
  }
  if (request.dry_run && !same) return out;
  const auto* now = apps_->CarriedOf(request.app, cluster.name);
  out.sequence = now->sequence;
  out.created = now->created;
  return out;
}

Result<void> HandDesk::CheckNumber(const Carried& carried) {
  const auto& header = carried.bundle.header;
  OTE_CHECK(bundle::CheckMark(context_.store, carried.bundle));
  OTE_TRY(const auto marks, context_.store.List<bundle::Mark>());
  for (const auto& mark : marks) {
    if (mark.issuer != header.issuer || mark.sequence != header.sequence || mark.digest == carried.bundle.digest)
      continue;
    return Fail(ErrorId::kBundleReplaced,
                fmt::format("{}, number {} of {}: another one with this number was taken, for {}", header.kind,
                            header.sequence, header.issuer, mark.stream),
                header.kind == bundle::kind::kUpdate
                    ? "the site was restored from an old copy: ote fl train --restored there"
                    : "the cluster was restored from an old copy: ote app import --restored there");
  }
  return {};
}

Result<api::AppImportReply> HandDesk::ImportReceipt(const api::AppImportRequest& request) {
  OTE_TRY(const auto carried, ReadCarried(request.bundle));
  const auto& header = carried.bundle.header;
  OTE_CHECK(bundle::CheckKind(header, bundle::kind::kAppReceipt));
  OTE_CHECK(CheckSender(carried));
  OTE_TRY(const auto report, bundle::ReadBody<api::AppReport>(carried.manifest.body));
  if (header.stream != fmt::format("{}/{}", bundle::kAppStream, report.app) || !carried.manifest.items.empty() ||
      (report.status && report.status->app != report.app) || report.removed == report.status.has_value()) {
    return Fail(ErrorId::kBundleMixed, "the receipt is of another app than it says");
  }
  OTE_CHECK(CheckNumber(carried));
  const auto* before = apps_->CarriedOf(report.app, header.issuer);
  const bool asked = before != nullptr &&
                     std::find(before->digests.begin(), before->digests.end(), header.answers) != before->digests.end();
  if (!asked) {
    return Fail(ErrorId::kBundleUnasked, fmt::format("app {}: the receipt of {} is of a bundle that was not exported "
                                                     "here",
                                                     report.app, header.issuer));
  }
  api::AppImportReply reply;
  reply.app = report.app;
  reply.cluster = header.issuer;
  reply.revision = report.revision;
  reply.gives_up = report.removed;
  reply.created = header.created;
  reply.report = report;
  reply.already = before->receipt == carried.bundle.digest;
  if (request.check || reply.already) return reply;
  CarriedApp row = *before;
  row.report = report;
  row.receipt = carried.bundle.digest;
  row.as_of = header.created;
  OTE_CHECK(apps_->KeepCarried(row, [&] { return bundle::PutMark(context_.store, carried.bundle); }));
  log::Info("receipt of an app imported", {{"app", report.app}, {"cluster", header.issuer}});
  HeardFrom(header);
  return reply;
}

}  // namespace ote::agent
