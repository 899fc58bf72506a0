#include "agent/by_hand/carried.h"

namespace ote::agent {

Result<Carried> ReadCarried(const api::CarriedFile& file) {
  Carried carried;
  OTE_TRY(carried.bundle, bundle::CheckHeader({file.body, file.signature}));
  if (crypto::DigestOf(file.manifest).ToString() != carried.bundle.header.manifest) {
    return Fail(ErrorId::kBundleAltered, "the manifest is not the one of the header");
  }
  OTE_TRY(carried.manifest, bundle::ReadManifest(file.manifest));
  return carried;
}

}  // namespace ote::agent
