#include "core/wire/enrol.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/version.h"

namespace ote::wire {
namespace {

// The authority's key, once it and the answering root's certificate fit the pin.
Result<crypto::VerifyKey> CheckPin(const api::EnrolHello& hello, const crypto::JoinToken& token) {
  constexpr auto kHint = "ask the operator of the root for a token made there";
  if (hello.authority_key.size() != 32) {
    return Fail(ErrorId::kPinMismatch, "the root does not show an authority key", kHint);
  }
  const crypto::VerifyKey authority{crypto::AsKey(hello.authority_key)};
  if (crypto::FingerprintOf(authority) != token.authority) {
    // The authority may have changed since the token was made: then it shows how.
    const auto followed = crypto::FollowSuccession(hello.successions, token.authority);
    if (!followed || *followed != authority) {
      return Fail(ErrorId::kPinMismatch, "the root's authority is neither the one in the token nor its successor",
                  kHint);
    }
  }
  OTE_TRY(const auto body, crypto::CheckCertificateSignature(hello.certificate, authority));
  if (body.Transport() != token.parent_key) {
    return Fail(ErrorId::kPinMismatch, "the root's certificate is not for the key in the token", kHint);
  }
  return authority;
}

}  // namespace

Result<Enrolled> Enrol(Client& client, const crypto::JoinToken& token, const std::string& name,
                       const api::Labels& labels, const crypto::SigningKey& sign,
                       const crypto::TransportPublic& transport, UnixMillis now, std::chrono::milliseconds patience) {
  OTE_TRY(const auto hello, client.Ask<api::EnrolHello>(api::verb::kEnrolHello, api::Empty{}, patience));
  OTE_TRY(const auto authority, CheckPin(hello, token));

  api::EnrolBody body;
  body.token = token.id;
  body.name = name;
  body.labels = labels;
  body.sign_key = crypto::ToBytes(sign.Public().bytes);
  body.transport_key = crypto::ToBytes(transport.bytes);
  body.version = Version();
  body.platform = Platform();
  body.now = now;
  body.nonce = BigId{RandomU64()};
  api::EnrolRequest request;
  request.body = ToCbor(body);
  const auto proof = crypto::Mac(token.ProofKey().View(), request.body);
  request.proof.assign(proof.begin(), proof.end());
  const auto signature = sign.Sign("ote-enrol-v1", request.body);
  request.signature.assign(signature.begin(), signature.end());

  Enrolled enrolled;
  OTE_TRY(enrolled.reply, client.Ask<api::EnrolReply>(api::verb::kEnrolRequest, request, patience));
  OTE_TRY(const auto issued, crypto::CheckCertificateSignature(enrolled.reply.certificate, authority));
  if (issued.name != name || issued.sign_key != body.sign_key || issued.transport_key != body.transport_key) {
    return Fail(ErrorId::kCertificateInvalid,
                fmt::format("cluster {}: the certificate that came is for another", name));
  }
  OTE_CHECK(crypto::CheckRevocationList(enrolled.reply.revocations, authority, 0));
  enrolled.authority_key = hello.authority_key;
  enrolled.successions = hello.successions;
  return enrolled;
}

}  // namespace ote::wire
