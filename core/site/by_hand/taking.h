// What a cluster looks at before it takes what was carried to it, whether an agent runs there or not.
#pragma once

#include <optional>
#include <string>

#include "core/bundle/header.h"
#include "core/store/state_folder.h"
#include "core/store/store.h"

namespace ote::site {

struct Judged {
  crypto::VerifyKey authority;
  crypto::CertificateBody issuer;
};
// Kind, receiver, issuer and revocation, of a bundle for this member whose present key is `key`; with `dates`, those of
// the issuer's certificate. kBundleKind, kBundleReceiver, kBundleUntrusted, kRevoked, and what trust.h says.
Result<Judged> Judge(const store::Membership& member, const crypto::TransportPublic& key, const bundle::Header& header,
                     std::string_view kind, std::optional<UnixMillis> dates);
// Puts the lists, the certificate and the authority that the bundle brings into `member`; whether any of it is newer.
Result<bool> AddNews(store::Membership& member, const bundle::Header& header, const crypto::VerifyKey& authority,
                     const std::optional<crypto::Certificate>& certificate);

// The next number of what this cluster sends by files.
Result<std::int64_t> NextSent(store::Store& store);
// This folder must not know of less than what the root has from it: kFolderRestored, unless it is `restored`.
Result<void> CheckSeen(store::Store& store, const std::string& folder, std::int64_t seen, bool restored);

}  // namespace ote::site
