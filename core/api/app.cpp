#include "core/api/app.h"

#include "crypto/digest.h"

namespace ote::api {

std::string DigestOf(const Workload& workload) { return crypto::DigestOf(ToCbor(workload)).Hex(); }

}  // namespace ote::api
