// Whether a bundle is from one that is trusted here, and for this cluster. Dates are looked at only when the caller
// asks for it: clocks at sites without a network are wrong, and what ascends there are numbers (marks.h).
#pragma once

#include <optional>
#include <string>

#include "core/bundle/header.h"

namespace ote::bundle {

// The authority that a bundle is to be judged by, for one who pinned `pinned`: that one, or the one that the bundle's
// chain of succession leads to from it. kSuccessionInvalid when a chain that begins with the pinned one does not hold.
Result<crypto::VerifyKey> AuthorityOf(const Header& header, const crypto::VerifyKey& pinned);

// The issuer's certificate, under the pinned authority. `known` is the list that the receiver holds; a newer one of the
// bundle itself counts too. kBundleUntrusted, kRevoked; with `now`, kCertificateExpired and kClockOff.
Result<crypto::CertificateBody> CheckIssuer(const Header& header, const crypto::VerifyKey& authority,
                                            const std::optional<crypto::RevocationList>& known,
                                            std::optional<UnixMillis> now);
// kBundleReceiver unless it is for this cluster and its present key.
Result<void> CheckReceiver(const Header& header, const std::string& name, const crypto::TransportPublic& key);
// kBundleKind, with what the bundle is and which command takes it.
Result<void> CheckKind(const Header& header, std::string_view wanted);
// The list that the bundle brings, when it is newer than `known`. kSignatureInvalid when it is not the authority's.
Result<std::optional<crypto::RevocationList>> NewerRevocations(const Header& header, const crypto::VerifyKey& authority,
                                                               const std::optional<crypto::RevocationList>& known);

// The command that takes a bundle of this kind; "" for one that this ote does not know.
std::string_view TakenBy(std::string_view kind) noexcept;

}  // namespace ote::bundle
