// A site's signature on what it sends: made at the site, checked at the root before the answer is taken, and again by
// whoever audits the run.
#pragma once

#include <string>

#include "core/api/task.h"
#include "core/base/result.h"
#include "crypto/certificate.h"
#include "crypto/keys.h"

namespace ote::record {

inline constexpr std::string_view kStatementDomain = "ote-update-v1";

// What `offer`, an answer of `site` to the task with this digest, is to be signed as. `statistics` is the digest of
// those that it holds, in a survey; DigestOfStatistics.
api::StatementBody StatementOf(const api::UpdateOffer& offer, const std::string& site, const std::string& task,
                               const std::string& statistics);
// Of an offer's body as it goes over the wire; "" when it has none.
std::string DigestOfStatistics(const Json& offer);

api::SiteStatement Sign(const api::StatementBody& body, const crypto::SigningKey& key,
                        const crypto::Certificate& certificate);

// Signs an answer that is ready to be sent; one that failed stays without.
void Countersign(api::UpdateOffer& offer, const std::string& task, const std::string& site,
                 const crypto::SigningKey& key, const crypto::Certificate& certificate);

// Signs an answer's statement again when it was made under another certificate than the present one: keys may have
// changed, or the authority, since the answer was kept.
void Recertify(api::UpdateOffer& offer, const crypto::SigningKey& key, const crypto::Certificate& certificate);

// That the statement was made by the certificate's key over exactly `wanted`. The certificate's body is whoever checked
// it. kStatementInvalid saying what is another.
Result<void> CheckStatement(ByteView body, ByteView signature, const crypto::CertificateBody& certificate,
                            const api::StatementBody& wanted);

// The check of a root: `offer` came from `site` and answers the task with this digest; `statistics` as above. The
// certificate is the site's, of this authority, and not void. kStatementInvalid.
Result<void> CheckOffer(const api::UpdateOffer& offer, const std::string& site, const std::string& task,
                        const std::string& statistics, const crypto::VerifyKey& authority,
                        const crypto::RevocationBody* revoked);

}  // namespace ote::record
