#include "core/store/watch_file.h"

#include <fmt/format.h>

#include "core/base/files.h"

namespace ote::store {
namespace {

std::filesystem::path FileOf(const StateFolder& folder) { return folder.path / "watch.json"; }

}  // namespace

Result<api::WatchSettings> LoadWatch(const StateFolder& folder) {
  std::error_code ignored;
  if (!std::filesystem::exists(FileOf(folder), ignored)) return api::WatchSettings{};
  OTE_TRY(const std::string text, ReadTextFile(FileOf(folder), 1 << 20));
  auto json = ParseJson(text, FileOf(folder).string());
  auto watch = json ? FromWire<api::WatchSettings>(*json) : Result<api::WatchSettings>(Fail(json.error()));
  if (!watch) {
    return Fail(ErrorId::kStoreCorrupt, fmt::format("{}: {}", FileOf(folder).string(), watch.error().message),
                "remove it, and give the flags again: ote cluster start --metrics …");
  }
  return watch;
}

Result<void> SaveWatch(const StateFolder& folder, const api::WatchSettings& watch) {
  const std::string text = DumpJson(ToJson(watch), 2) + "\n";
  return WriteFileAtomic(FileOf(folder), AsBytes(text), 0600);
}

}  // namespace ote::store
