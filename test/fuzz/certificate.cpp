// fuzz-link: ote_crypto
// Certificates: no crash over any bytes, signed or not, and what is accepted holds what the rest of ote relies on.
#include "crypto/certificate.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "core/base/ids.h"

namespace {

using namespace ote::crypto;

constexpr ote::UnixMillis kNow = 1'700'000'000'000;

const SigningKey& Authority() {
  static const SigningKey key = [] {
    ote::Bytes seed(32);
    for (std::size_t i = 0; i < seed.size(); ++i) seed[i] = static_cast<std::uint8_t>(i);
    return std::move(*SigningKey::FromSeed(seed));
  }();
  return key;
}

void Require(bool holds) {
  if (!holds) std::abort();
}

void Check(const Certificate& certificate) {
  for (const ote::UnixMillis grace : {ote::UnixMillis{0}, ote::UnixMillis{86'400'000}}) {
    const auto body = CheckCertificate(certificate, Authority().Public(), {.now = kNow, .grace = grace});
    if (!body) {
      const ote::ErrorId id = body.error().id;
      Require(id == ote::ErrorId::kCertificateInvalid || id == ote::ErrorId::kCertificateExpired ||
              id == ote::ErrorId::kClockOff);
      continue;
    }
    Require(ote::CheckName("name", body->name).has_value());
    Require(std::ranges::equal(body->SignKey().bytes, body->sign_key));
    Require(std::ranges::equal(body->Transport().bytes, body->transport_key));
    Require(body->not_before < body->not_after);
    const ote::UnixMillis renewal = RenewalTime(*body);
    Require(renewal >= body->not_before && renewal <= body->not_after);
    Require(CheckCertificateSignature(IssueCertificate(Authority(), *body), Authority().Public()).has_value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ote::ByteView input{data, size};
  if (const auto certificate = ote::FromCbor<Certificate>(input)) Check(*certificate);

  // The input as a body that the authority did sign, so that what stands behind the signature is reached.
  Certificate certificate;
  certificate.body.assign(input.begin(), input.end());
  const Signature signature = Authority().Sign("ote-certificate-v1", input);
  certificate.signature.assign(signature.begin(), signature.end());
  Check(certificate);
  return 0;
}
