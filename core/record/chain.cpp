#include "core/record/chain.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/version.h"

namespace ote::record {

namespace {

// The links from the authority that the record knows to the present one.
std::vector<crypto::Succession> Since(const Head& head, const Signer& signer) {
  crypto::VerifyKey known;
  if (head.authority == signer.authority || head.authority.size() != known.bytes.size()) return {};
  std::copy(head.authority.begin(), head.authority.end(), known.bytes.begin());
  const auto from = crypto::SuccessionOf(signer.successions, crypto::FingerprintOf(known));
  return {signer.successions.begin() + static_cast<std::ptrdiff_t>(from), signer.successions.end()};
}

}  // namespace

Bytes Append(Head& head, api::RecordEntry entry, const Signer& signer) {
  EntryBody body;
  body.run = head.run;
  body.seq = head.entries;
  body.previous = head.last;
  body.version = fmt::format("{} {}", Version(), Commit());
  body.signer = api::CertificateDigest(signer.certificate);
  if (entry.begin) {
    body.authority = signer.authority;
  } else {
    body.successions = Since(head, signer);
  }
  head.authority = signer.authority;
  entry.certificates.push_back(signer.certificate);
  std::erase_if(entry.certificates, [&head](const crypto::Certificate& certificate) {
    std::string digest = api::CertificateDigest(certificate);
    if (std::find(head.certificates.begin(), head.certificates.end(), digest) != head.certificates.end()) return true;
    head.certificates.push_back(std::move(digest));
    return false;
  });
  body.entry = std::move(entry);
  Bytes frame = MakeFrame(ToCbor(body), kEntryDomain, signer.key);
  head.last = FrameDigest(frame);
  ++head.entries;
  return frame;
}

Bytes Seal(const Head& head, const Signer& signer) {
  return MakeFrame(ToCbor(SealBody{head.run, head.entries, head.last, Since(head, signer), signer.certificate}),
                   kSealDomain, signer.key);
}

}  // namespace ote::record
