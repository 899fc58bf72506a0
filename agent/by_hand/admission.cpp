// Members that ask by a file: the authority's side of it. What a token proves on the wire, the operator proves here,
// who compared the fingerprint of the key.
#include <fmt/format.h>

#include "agent/authority.h"
#include "core/base/ids.h"
#include "core/base/log.h"

namespace ote::agent {

Result<Authority::Admitted> Authority::AdmitByHand(const api::EnrolBody& body,
                                                   const std::vector<api::DatasetSummary>& datasets) {
  OTE_CHECK(CheckName("cluster", body.name));
  OTE_CHECK(api::CheckLabels(body.labels));
  const auto now = context_.clock.WallNow();
  auto known = members_.Find(body.name);
  if (known && known->certificate) {
    OTE_TRY(const auto held, crypto::CheckCertificateSignature(*known->certificate, authority_.Public()));
    if (held.sign_key == body.sign_key && held.transport_key == body.transport_key) {
      known->by_hand = true;
      if (known->status != api::ClusterStatus::kReady) known->status = api::ClusterStatus::kByHand;
      known->datasets = datasets;
      known->version = body.version;
      known->platform = body.platform;
      known->last_seen = now;
      OTE_CHECK(members_.Admit(*known));
      OTE_TRY(auto renewed, RenewByHand(body.name));
      return Admitted{std::move(renewed), true};
    }
  }
  if (known || body.name == context_.membership.name) {
    return Fail(ErrorId::kNameTaken, fmt::format("cluster {}: another one, with another key, has this name", body.name),
                fmt::format("choose another --name at the site, or here: ote cluster remove {}", body.name));
  }
  if (const auto other = members_.NameOf(body.transport_key)) {
    return Fail(ErrorId::kConflict, fmt::format("cluster {}: its keys are those of member {}", body.name, *other),
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
  OTE_TRY(const auto issued, Issue(certificate));

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
  OTE_CHECK(members_.Admit(cluster));
  log::Info("cluster enrolled by a file", {{"cluster", cluster.name}, {"serial", cluster.serial.value}});
  return Admitted{std::move(cluster), false};
}

Result<api::Cluster> Authority::RenewByHand(const std::string& name) {
  auto cluster = members_.Find(name);
  if (!cluster || !cluster->certificate) return Fail(ErrorId::kNotFound, fmt::format("cluster {}: not a member", name));
  OTE_TRY(auto body, crypto::CheckCertificateSignature(*cluster->certificate, authority_.Public()));
  const auto now = context_.clock.WallNow();
  // There is no link over which it could ask for it, and no clock there that could be trusted.
  if (now >= crypto::RenewalTime(body)) {
    body.labels = cluster->labels;
    body.not_before = now;
    body.not_after = now + context_.membership.certificate_life_ms;
    OTE_TRY(const auto issued, Issue(body));
    cluster->serial = issued.second.serial;
    cluster->expires_at = body.not_after;
    cluster->certificate = issued.first;
    OTE_CHECK(members_.Admit(*cluster));
    log::Info("certificate renewed", {{"cluster", name}, {"until", FormatTime(body.not_after)}});
  }
  return *cluster;
}

}  // namespace ote::agent
