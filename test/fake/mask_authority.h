// Members of one authority, with keys of their own, for rounds with masks.
#pragma once

#include <map>
#include <string>

#include "core/federate/masks/session.h"
#include "core/federate/masks/site_masks.h"

namespace ote::fake {

class MaskAuthority {
 public:
  MaskAuthority() : authority_(crypto::SigningKey::Generate()) {}

  const crypto::VerifyKey& Public() const { return authority_.Public(); }
  federate::KeyCheck Check() const { return federate::CertifiedBy(authority_.Public(), {}); }
  federate::MaskIdentity Admit(const std::string& name) {
    auto& key = keys_.emplace(name, crypto::SigningKey::Generate()).first->second;
    crypto::CertificateBody body;
    body.serial = BigId{keys_.size()};
    body.name = name;
    const auto sign = key.Public().bytes;
    body.sign_key.assign(sign.begin(), sign.end());
    body.transport_key = Bytes(32, 1);
    body.not_after = 1;  // long ago: dates are not looked at
    const auto fingerprint = crypto::FingerprintOf(authority_.Public());
    body.authority.assign(fingerprint.begin(), fingerprint.end());
    return {name, &key, crypto::IssueCertificate(authority_, body), Check()};
  }

 private:
  crypto::SigningKey authority_;
  std::map<std::string, crypto::SigningKey> keys_;
};

}  // namespace ote::fake
