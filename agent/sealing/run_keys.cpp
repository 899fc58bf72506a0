#include "agent/sealing/run_keys.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "core/base/descriptor.h"
#include "core/base/files.h"
#include "core/base/log.h"

namespace ote::agent {
namespace {
namespace fs = std::filesystem;

void Wipe(const fs::path& file) {
  std::error_code error;
  auto left = fs::file_size(file, error);
  if (error) return;
  const Descriptor out(::open(file.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  const std::array<char, 128> zeros{};
  while (out && left > 0) {
    const auto put = ::write(out.get(), zeros.data(), std::min<std::uintmax_t>(left, zeros.size()));
    if (put <= 0) break;
    left -= static_cast<std::uintmax_t>(put);
  }
  if (!out || left > 0 || ::fsync(out.get()) != 0) log::Warn("key of a run not overwritten", {{"file", file.string()}});
  if (::unlink(file.c_str()) != 0) log::Error("key of a run not removed", {{"file", file.string()}});
  if (auto synced = SyncFolder(file.parent_path()); !synced) {
    log::Warn("key of a run may come back with a power cut", {{"why", synced.error().message}});
  }
}

}  // namespace

Result<crypto::TransportKey> RunKey(const store::StateFolder& folder, const std::string& run) {
  const auto file = folder.RunKeyFile(run);
  std::error_code ignored;
  if (fs::exists(file, ignored)) {
    auto key = crypto::LoadTransportKey(file);
    if (key) return key;
    const auto& error = key.error();
    if (error.id != ErrorId::kKeyFileInvalid && error.id != ErrorId::kKeyFileExposed) return key;
    log::Warn("key of a run given up", {{"run", run}, {"why", error.message}});
    Wipe(file);
  }
  OTE_CHECK(MakeFolder(folder.RunKeyFolder(), 0700));
  auto key = crypto::TransportKey::Generate();
  OTE_CHECK(crypto::SaveTransportKey(file, key));
  return key;
}

void WipeRunKey(const store::StateFolder& folder, const std::string& run) { Wipe(folder.RunKeyFile(run)); }

void WipeRunKeysExcept(const store::StateFolder& folder, const std::set<std::string>& runs) {
  std::error_code error;
  for (fs::directory_iterator it(folder.RunKeyFolder(), error), end; !error && it != end; it.increment(error)) {
    if (!runs.contains(it->path().stem().string())) Wipe(it->path());
  }
}

}  // namespace ote::agent
