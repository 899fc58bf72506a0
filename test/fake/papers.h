// A root and two members with certificates of one authority, for tests of what is signed and sealed.
#pragma once

#include <string>

#include "core/parcel/parcel.h"
#include "crypto/certificate.h"

namespace ote::test {

inline constexpr UnixMillis kPapersNow = 1'700'000'000'000;

struct Party {
  Party(const crypto::SigningKey& authority, std::string called, crypto::Role role, std::uint64_t serial)
      : name(std::move(called)), sign(crypto::SigningKey::Generate()), transport(crypto::TransportKey::Generate()) {
    crypto::CertificateBody body;
    body.serial = BigId{serial};
    body.name = name;
    body.role = role;
    body.sign_key.assign(sign.Public().bytes.begin(), sign.Public().bytes.end());
    body.transport_key.assign(transport.Public().bytes.begin(), transport.Public().bytes.end());
    body.not_before = kPapersNow - 1000;
    body.not_after = kPapersNow + 1'000'000;
    const auto fingerprint = crypto::FingerprintOf(authority.Public());
    body.authority.assign(fingerprint.begin(), fingerprint.end());
    paper = crypto::IssueCertificate(authority, body);
  }
  parcel::Issuer Issuer() const { return {name, sign, paper}; }

  std::string name;
  crypto::SigningKey sign;
  crypto::TransportKey transport;
  crypto::Certificate paper;
};

struct Papers {
  crypto::SigningKey authority = crypto::SigningKey::Generate();
  Party root{authority, "hq", crypto::Role::kRoot, 1};
  Party site{authority, "clinic-a", crypto::Role::kMember, 2};
  Party other{authority, "clinic-b", crypto::Role::kMember, 3};
  crypto::TransportKey run_key = crypto::TransportKey::Generate();

  parcel::SealedTask Task() const {
    parcel::SealedTask task;
    task.task.run = "run-7k2m9q4x0d";
    task.task.round = 3;
    task.task.dataset = "haemophilia";
    task.task.features = 2;
    task.seals.answer_key.assign(run_key.Public().bytes.begin(), run_key.Public().bytes.end());
    return task;
  }
  parcel::SealedOffer Offer() const {
    parcel::SealedOffer offer;
    offer.offer.run = "run-7k2m9q4x0d";
    offer.offer.round = 3;
    offer.offer.examples = 1797;
    return offer;
  }
  parcel::Expected AtSite() const { return {authority.Public(), site.name, {}, crypto::Validity{kPapersNow}, nullptr}; }
  parcel::Expected AtRoot() const {
    return {authority.Public(), root.name, site.name, crypto::Validity{kPapersNow}, nullptr};
  }
};

}  // namespace ote::test
