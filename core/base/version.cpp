#include "core/base/version.h"

#include <sys/utsname.h>

#ifndef OTE_VERSION
#define OTE_VERSION "0.0.0"
#endif
#ifndef OTE_COMMIT
#define OTE_COMMIT "unknown"
#endif

namespace ote {

std::string_view Version() noexcept { return OTE_VERSION; }
std::string_view Commit() noexcept { return OTE_COMMIT; }

std::string Platform() {
  utsname name{};
  if (::uname(&name) != 0) return "unknown";
  return std::string("linux/") + name.machine;
}

}  // namespace ote
