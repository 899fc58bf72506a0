#include "core/record/statement.h"

#include <fmt/format.h>

#include "crypto/digest.h"

namespace ote::record {
namespace {

tl::unexpected<Error> Invalid(std::string_view why) {
  return Fail(ErrorId::kStatementInvalid, fmt::format("its signed statement: {}", why));
}

// The first field in which two statements differ; "" for none.
std::string_view Difference(const api::StatementBody& a, const api::StatementBody& b) {
  if (a.run != b.run) return "run";
  if (a.round != b.round) return "round";
  if (a.kind != b.kind) return "kind";
  if (a.site != b.site) return "cluster";
  if (a.task != b.task) return "task";
  if (a.update != b.update) return "update";
  if (a.size != b.size) return "size";
  if (a.examples != b.examples) return "number of examples";
  return a == b ? "" : "number of steps";
}

}  // namespace

api::StatementBody StatementOf(const api::UpdateOffer& offer, const std::string& site, const std::string& task,
                               const std::string& statistics) {
  api::StatementBody body;
  body.run = offer.run;
  body.round = offer.round;
  body.kind = NameOf(offer.kind);
  body.site = site;
  body.task = task;
  body.update = offer.kind == api::TaskKind::kSurvey ? statistics : offer.digest;
  body.size = offer.size;
  body.examples = offer.examples;
  body.steps = offer.steps;
  return body;
}

std::string DigestOfStatistics(const Json& offer) {
  if (!offer.is_object()) return {};
  const auto it = offer.find("statistics");
  return it == offer.end() ? std::string() : crypto::DigestOf(DumpCbor(*it)).ToString();
}

api::SiteStatement Sign(const api::StatementBody& body, const crypto::SigningKey& key,
                        const crypto::Certificate& certificate) {
  api::SiteStatement statement;
  statement.body = ToCbor(body);
  const crypto::Signature signature = key.Sign(kStatementDomain, statement.body);
  statement.signature.assign(signature.begin(), signature.end());
  statement.certificate = certificate;
  return statement;
}

void Countersign(api::UpdateOffer& offer, const std::string& task, const std::string& site,
                 const crypto::SigningKey& key, const crypto::Certificate& certificate) {
  offer.statement.reset();
  if (offer.failed) return;
  offer.statement = Sign(StatementOf(offer, site, task, DigestOfStatistics(ToJson(offer))), key, certificate);
}

void Recertify(api::UpdateOffer& offer, const crypto::SigningKey& key, const crypto::Certificate& certificate) {
  if (!offer.statement || offer.statement->certificate.body == certificate.body) return;
  const auto signature = key.Sign(kStatementDomain, offer.statement->body);
  offer.statement->signature.assign(signature.begin(), signature.end());
  offer.statement->certificate = certificate;
}

Result<void> CheckStatement(ByteView body, ByteView signature, const crypto::CertificateBody& certificate,
                            const api::StatementBody& wanted) {
  if (!crypto::Verify(certificate.SignKey(), kStatementDomain, body, signature)) {
    return Invalid("its signature is not by the key of its certificate");
  }
  const auto said = FromCbor<api::StatementBody>(body);
  if (!said) return Invalid(said.error().message);
  if (said->site != certificate.name) {
    return Invalid(fmt::format("it speaks for {}, and its certificate is of {}", said->site, certificate.name));
  }
  if (const auto what = Difference(*said, wanted); !what.empty()) {
    return Invalid(fmt::format("it is of another {}", what));
  }
  return {};
}

Result<void> CheckOffer(const api::UpdateOffer& offer, const std::string& site, const std::string& task,
                        const std::string& statistics, const crypto::VerifyKey& authority,
                        const crypto::RevocationBody* revoked) {
  if (!offer.statement) return Invalid("there is none");
  const auto certificate = crypto::CheckCertificateSignature(offer.statement->certificate, authority);
  if (!certificate) return Invalid(certificate.error().message);
  if (revoked != nullptr && revoked->Contains(certificate->serial)) return Invalid("its certificate is void");
  return CheckStatement(offer.statement->body, offer.statement->signature, *certificate,
                        StatementOf(offer, site, task, statistics));
}

}  // namespace ote::record
