#include "core/record/chain.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/version.h"

namespace ote::record {

Bytes Append(Head& head, api::RecordEntry entry, const Signer& signer) {
  EntryBody body;
  body.run = head.run;
  body.seq = head.entries;
  body.previous = head.last;
  body.version = fmt::format("{} {}", Version(), Commit());
  body.signer = api::CertificateDigest(signer.certificate);
  if (entry.begin) body.authority.assign(signer.authority.bytes.begin(), signer.authority.bytes.end());
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
  return MakeFrame(ToCbor(SealBody{head.run, head.entries, head.last, signer.certificate}), kSealDomain, signer.key);
}

}  // namespace ote::record
