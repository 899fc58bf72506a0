// The root's side of members that are reached by files: takes their requests and updates, and says what goes into the
// grants, tasks and receipts for them. Serves cluster.approve, fl.export, fl.import, app.export and app.import.
//
// The files themselves are read and written by the command line, which runs as the same user and holds the same keys:
// this thread is never kept by a large file. What is given out under a number is on disk, with that number, before the
// file is in its place. One thread.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "agent/apps/app_desk.h"
#include "agent/by_hand/carried.h"
#include "agent/by_hand/ledger.h"
#include "agent/context.h"
#include "agent/issuer.h"
#include "agent/members.h"
#include "agent/run_controller.h"
#include "agent/trust_desk.h"
#include "core/api/app_carried.h"

namespace ote::agent {

class HandDesk {
 public:
  // `transport` is this agent's own key, to which updates are sealed.
  HandDesk(Context& context, Members& members, Issuer& issuer, TrustDesk& trust, RunController& runs,
           const crypto::TransportKey& transport)
      : context_(context), members_(members), issuer_(issuer), trust_(trust), runs_(runs), transport_(transport) {}

  // Registers the verbs, and looks after what runs ask of sites. Before the runs are started.
  Result<void> Start();
  // The verbs about apps; `apps` has started, and outlives it.
  void ServeApps(AppDesk& apps);
  // Artifacts of updates that were taken and may not have been folded yet.
  std::set<std::string> Needed() const;

 private:
  Result<api::ApproveReply> Approve(const api::ApproveRequest& request);
  // A cluster whose keys were proved by its signature, admitted now or before. kNameTaken, kConflict.
  Result<api::Cluster> Admit(const api::EnrolBody& body, const std::vector<api::DatasetSummary>& datasets,
                             bool* already);
  Result<api::Cluster> RenewWhenDue(api::Cluster cluster);
  // The next keys of a member, for which its present ones stand; its certificate for them.
  Result<crypto::Certificate> AdmitNext(const Carried& carried, const bundle::RequestBody& asked);
  Result<std::int64_t> RevocationNumber() const;
  // The certificate that files for a member are made for: of the keys that it is changing to, once it was granted them.
  struct Certified {
    crypto::Certificate certificate;
    crypto::CertificateBody body;
  };
  Result<Certified> CertifiedOf(const api::Cluster& cluster) const;
  // A member that is reached by files, its certificate present, and renewed when that is due and `renew`. kNotFound,
  // kNotByHand.
  Result<api::Cluster> HandMember(const std::string& name, bool renew);
  // That a bundle for this root is signed by the member that it names, with the key that it has or is changing to.
  Result<void> CheckSender(const Carried& carried) const;
  // That it is new, and no other has its number.
  Result<void> CheckNumber(const Carried& carried);
  // Of the certificates of the member that a bundle names, present and next, the one whose key has signed it.
  std::optional<crypto::CertificateBody> SignerOf(const bundle::Header& header) const;
  // What a bundle that was taken tells of its sender: it lives, which key it holds, and under which authority.
  void HeardFrom(const bundle::Header& header);

  Result<api::ExportReply> Export(const api::ExportRequest& request);
  Result<api::ExportReply> Confirm(const api::ExportRequest& request, HandTask task);
  Result<api::ImportReply> Import(const api::ImportRequest& request);
  // Everything about an update but whether the run takes it; `before` is what was taken in its place.
  Result<void> Check(const Carried& carried, const bundle::UpdateBody& body, std::optional<HandUpdate>* before);
  Result<api::ImportReply> Take(const Carried& carried, const bundle::UpdateBody& body, const api::Cluster& cluster);
  Result<api::AppExportReply> ExportApp(const api::AppExportRequest& request);
  Result<api::AppImportReply> ImportReceipt(const api::AppImportRequest& request);
  // What this root keeps of the tasks and updates of a run that is removed.
  Result<std::int64_t> ForgetRun(const std::string& run, bool dry);
  // A run asks a site again for what it has answered already: the answer is here.
  void Asked(const std::string& site, const api::Task& task);

  Context& context_;
  Members& members_;
  Issuer& issuer_;
  TrustDesk& trust_;
  RunController& runs_;
  const crypto::TransportKey& transport_;
  AppDesk* apps_ = nullptr;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
};

}  // namespace ote::agent
