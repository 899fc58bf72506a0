#include "cli/cluster/leave.h"

#include <fmt/format.h>

#include "cli/daemon/launch.h"
#include "core/base/files.h"

namespace ote::cli {

Result<std::filesystem::path> PutAside(const Context& context, const store::StateFolder& folder) {
  OTE_CHECK(StopAgent(context, folder, context.Patience(kStopWait), true));
  const std::filesystem::path kept = folder.path / fmt::format("replaced-{}", context.clock.WallNow());
  OTE_CHECK(MakeFolder(kept, 0700));
  // The membership goes first: without it the rest is nobody's.
  for (const char* name : {"member.json", "keys", "ote.db", "ote.db-wal", "ote.db-shm", "artifacts", "agent.log"}) {
    std::error_code failed;
    if (!std::filesystem::exists(folder.path / name, failed)) continue;
    std::filesystem::rename(folder.path / name, kept / name, failed);
    if (failed) {
      return Fail(ErrorId::kFileFailed,
                  fmt::format("{}: cannot be moved: {}", (folder.path / name).string(), failed.message()));
    }
  }
  return kept;
}

}  // namespace ote::cli
