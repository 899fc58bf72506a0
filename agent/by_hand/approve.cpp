// Members that ask by a file. What a token proves on the wire, the operator proves here, who compared the fingerprint
// of the key.
#include <fmt/format.h>

#include "agent/by_hand/desk.h"
#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/bundle/marks.h"
#include "core/bundle/trust.h"

namespace ote::agent {

Result<api::Cluster> HandDesk::Admit(const api::EnrolBody& body, const std::vector<api::DatasetSummary>& datasets,
                                     bool* already) {
  OTE_CHECK(CheckName("cluster", body.name));
  OTE_CHECK(api::CheckLabels(body.labels));
  const auto now = context_.clock.WallNow();
  auto known = members_.Find(body.name);
  if (known && known->certificate) {
    OTE_TRY(const auto held, issuer_.Check(*known->certificate));
    if (held.sign_key == body.sign_key && held.transport_key == body.transport_key) {
      known->by_hand = true;
      if (known->status != api::ClusterStatus::kReady) known->status = api::ClusterStatus::kByHand;
      known->datasets = datasets;
      known->version = body.version;
      known->platform = body.platform;
      known->last_seen = now;
      OTE_CHECK(members_.Admit(*known));
      *already = true;
      return RenewWhenDue(std::move(*known));
    }
  }
  if (known || body.name == context_.membership.name) {
    return Fail(ErrorId::kNameTaken, fmt::format("cluster {}: another one, with another key, has this name", body.name),
                fmt::format("choose another --name at the site, or here: ote cluster remove {}", body.name));
  }
  if (const auto* other = members_.HolderOf(body.transport_key)) {
    return Fail(ErrorId::kConflict, fmt::format("cluster {}: its keys are those of member {}", body.name, other->name),
                "use another state folder at the site; keys are never shared");
  }
  crypto::CertificateBody certificate;
  certificate.name = body.name;
  certificate.parent = context_.membership.name;
  certificate.labels = body.labels;
  certificate.sign_key = body.sign_key;
  certificate.transport_key = body.transport_key;
  certificate.not_before = now;
  certificate.not_after = now + context_.membership.certificate_life_ms;
  OTE_TRY(const auto issued, issuer_.Issue(certificate));

  api::Cluster cluster;
  cluster.name = body.name;
  cluster.status = api::ClusterStatus::kByHand;
  cluster.by_hand = true;
  cluster.parent = certificate.parent;
  cluster.labels = body.labels;
  cluster.serial = issued.second.serial;
  cluster.joined_at = now;
  cluster.last_seen = now;
  cluster.expires_at = certificate.not_after;
  cluster.version = body.version;
  cluster.platform = body.platform;
  cluster.datasets = datasets;
  cluster.certificate = issued.first;
  cluster.trust = api::MemberTrust{};
  cluster.trust->authority = issued.second.authority;
  OTE_CHECK(members_.Admit(cluster));
  log::Info("cluster enrolled by a file", {{"cluster", cluster.name}, {"serial", cluster.serial.value}});
  return cluster;
}

Result<api::Cluster> HandDesk::RenewWhenDue(api::Cluster cluster) {
  OTE_TRY(auto body, issuer_.Check(*cluster.certificate));
  const auto now = context_.clock.WallNow();
  // There is no link over which it could ask for it, and no clock there that could be trusted.
  if (now < crypto::RenewalTime(body)) return cluster;
  body.labels = cluster.labels;
  body.not_before = now;
  body.not_after = now + context_.membership.certificate_life_ms;
  OTE_TRY(const auto issued, issuer_.Issue(body));
  cluster.serial = issued.second.serial;
  cluster.expires_at = body.not_after;
  cluster.certificate = issued.first;
  OTE_CHECK(members_.Admit(cluster));
  log::Info("certificate renewed", {{"cluster", cluster.name}, {"until", FormatTime(body.not_after)}});
  return cluster;
}

Result<crypto::Certificate> HandDesk::AdmitNext(const Carried& carried, const bundle::RequestBody& asked) {
  const auto& header = carried.bundle.header;
  OTE_TRY(const auto member, HandMember(header.issuer, false));
  const auto next = FromCbor<api::RotateBody>(asked.rotate->body);
  if (!next || next->sign_key != header.sign_key || next->transport_key != asked.transport_key) {
    return Fail(ErrorId::kBundleMixed, "the request hands over to other keys than those that signed it");
  }
  OTE_TRY(auto certificate, trust_.Certify(member.name, *asked.rotate));
  auto changed = members_.Find(member.name).value_or(member);
  changed.datasets = asked.datasets;
  changed.version = asked.version;
  changed.platform = asked.platform;
  changed.last_seen = context_.clock.WallNow();
  OTE_CHECK(members_.Admit(changed));
  return certificate;
}

Result<HandDesk::Certified> HandDesk::CertifiedOf(const api::Cluster& cluster) const {
  const auto& certificate = cluster.trust && cluster.trust->next ? *cluster.trust->next : *cluster.certificate;
  OTE_TRY(auto body, issuer_.Check(certificate));
  return Certified{certificate, std::move(body)};
}

Result<api::ApproveReply> HandDesk::Approve(const api::ApproveRequest& request) {
  OTE_TRY(const auto carried, ReadCarried(request.request));
  const auto& header = carried.bundle.header;
  OTE_CHECK(bundle::CheckKind(header, bundle::kind::kRequest));
  OTE_TRY(const auto asked, bundle::ReadBody<bundle::RequestBody>(carried.manifest.body));
  if (asked.transport_key.size() != 32 || header.stream != bundle::kEnrolStream) {
    return Fail(ErrorId::kBundleAltered, "the request holds no transport key");
  }
  // Of a member with this key the number is looked at: an old request must not bring back what the site had once.
  auto seen = bundle::Seen::kNever;
  if (SignerOf(header) || (asked.rotate && members_.Find(header.issuer))) {
    OTE_TRY(seen, bundle::CheckMark(context_.store, carried.bundle));
  }
  // Keys that were granted, and are seen to be in use.
  if (!asked.rotate) HeardFrom(header);
  api::EnrolBody body;
  body.name = header.issuer;
  body.labels = asked.labels;
  for (const auto& [key, value] : request.labels) body.labels[key] = value;
  body.sign_key = header.sign_key;
  body.transport_key = asked.transport_key;
  body.version = asked.version;
  body.platform = asked.platform;
  api::ApproveReply reply;
  std::optional<crypto::Certificate> next;
  const auto member = members_.Find(header.issuer);
  const auto signer = SignerOf(header);
  if (asked.rotate && !(member && signer && signer->serial == member->serial)) {
    OTE_TRY(next, AdmitNext(carried, asked));
    OTE_TRY(reply.cluster, HandMember(header.issuer, false));
    OTE_TRY(const auto issued, issuer_.Check(*next));
    reply.cluster.serial = issued.serial;
    reply.cluster.certificate = next;
  } else {
    OTE_TRY(reply.cluster, Admit(body, asked.datasets, &reply.already));
  }

  OTE_TRY(const auto revocations, RevocationNumber());
  OTE_TRY(auto grant, context_.store.Get<HandGrant>(header.issuer));
  const bool same = grant && grant->request == carried.bundle.digest && grant->serial == reply.cluster.serial &&
                    grant->revocations == revocations;
  if (!same) {
    HandGrant made;
    made.cluster = header.issuer;
    made.request = carried.bundle.digest;
    made.created = context_.clock.WallNow();
    made.serial = reply.cluster.serial;
    made.revocations = revocations;
    auto kept = context_.store.Transaction([&]() -> Result<void> {
      OTE_TRY(made.sequence, context_.store.NextNumber(kSentNumbers));
      if (seen == bundle::Seen::kNever) OTE_CHECK(bundle::PutMark(context_.store, carried.bundle));
      return context_.store.Put(made);
    });
    OTE_CHECK(std::move(kept));
    grant = made;
  }
  reply.certificate = *reply.cluster.certificate;
  reply.cluster.certificate.reset();
  reply.cluster.trust.reset();
  reply.settings = context_.membership.settings;
  reply.revocations = context_.membership.revocations;
  reply.sequence = grant->sequence;
  reply.created = grant->created;
  return reply;
}

}  // namespace ote::agent
