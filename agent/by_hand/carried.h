// Bundles as they come to the agent: header and manifest, checked to belong together.
#pragma once

#include "core/api/by_hand.h"
#include "core/bundle/bodies.h"
#include "core/bundle/manifest.h"

namespace ote::agent {

struct Carried {
  bundle::Checked bundle;
  bundle::Manifest manifest;
};
// Form, signature by its own key, and the manifest's digest. kBundleAltered, kSignatureInvalid, kBundleNewer.
Result<Carried> ReadCarried(const api::CarriedFile& file);

}  // namespace ote::agent
