#include "core/api/statement.h"

#include "core/api/task.h"
#include "crypto/digest.h"

namespace ote::api {

std::string TaskDigest(Json task) {
  if (task.is_object()) task.erase("deadline");
  return crypto::DigestOf(DumpCbor(task)).ToString();
}

std::string TaskDigest(const Task& task) { return TaskDigest(ToJson(task)); }

std::string CertificateDigest(const crypto::Certificate& certificate) {
  return crypto::DigestOf(ToCbor(certificate)).ToString();
}

}  // namespace ote::api
