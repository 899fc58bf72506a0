#include <fmt/format.h>

#include "agent/by_hand/carried.h"
#include "agent/by_hand/desk.h"
#include "core/base/log.h"
#include "core/bundle/marks.h"
#include "core/bundle/trust.h"

namespace ote::agent {

Result<std::int64_t> HandDesk::RevocationNumber() const {
  if (!context_.membership.revocations) return 0;
  OTE_TRY(const auto list,
          crypto::CheckRevocationList(*context_.membership.revocations, context_.membership.AuthorityKey(), 0));
  return list.number;
}

Result<api::ApproveReply> HandDesk::Approve(const api::ApproveRequest& request) {
  OTE_TRY(const auto carried, ReadCarried(request.request));
  const auto& header = carried.bundle.header;
  OTE_CHECK(bundle::CheckKind(header, bundle::kind::kRequest));
  OTE_TRY(const auto asked, bundle::ReadBody<bundle::RequestBody>(carried.manifest.body));
  if (asked.transport_key.size() != 32 || header.stream != bundle::kEnrolStream) {
    return Fail(ErrorId::kBundleAltered, "the request holds no transport key");
  }
  // Of a member the number is looked at: an old request must not bring back what the site had once.
  OTE_TRY(const auto seen, bundle::CheckMark(context_.store, carried.bundle));
  api::EnrolBody body;
  body.name = header.issuer;
  body.labels = asked.labels;
  for (const auto& [key, value] : request.labels) body.labels[key] = value;
  body.sign_key = header.sign_key;
  body.transport_key = asked.transport_key;
  body.version = asked.version;
  body.platform = asked.platform;
  OTE_TRY(const auto admitted, authority_.AdmitByHand(body, asked.datasets));

  OTE_TRY(const auto revocations, RevocationNumber());
  OTE_TRY(auto grant, context_.store.Get<HandGrant>(header.issuer));
  const bool same = grant && grant->request == carried.bundle.digest && grant->serial == admitted.cluster.serial &&
                    grant->revocations == revocations;
  if (!same) {
    HandGrant made;
    made.cluster = header.issuer;
    made.request = carried.bundle.digest;
    made.created = context_.clock.WallNow();
    made.serial = admitted.cluster.serial;
    made.revocations = revocations;
    OTE_CHECK(context_.store.Transaction([&]() -> Result<void> {
      OTE_TRY(made.sequence, context_.store.NextNumber("hand-sent"));
      if (seen == bundle::Seen::kNever) OTE_CHECK(bundle::PutMark(context_.store, carried.bundle));
      return context_.store.Put(made);
    }));
    grant = made;
  }
  api::ApproveReply reply;
  reply.cluster = admitted.cluster;
  reply.cluster.certificate.reset();
  reply.certificate = *admitted.cluster.certificate;
  reply.settings = context_.membership.settings;
  reply.revocations = context_.membership.revocations;
  reply.sequence = grant->sequence;
  reply.created = grant->created;
  reply.already = admitted.already;
  return reply;
}

void HandDesk::Start() {
  context_.rpc.RegisterCall<api::ApproveRequest>(api::verb::kClusterApprove, kByOperator,
                                                 [this](const Request&, const auto& body) { return Approve(body); });
}

}  // namespace ote::agent
