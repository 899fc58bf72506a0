#include "agent/sealing/run_keys.h"

#include <filesystem>

#include "core/base/files.h"
#include "core/base/log.h"

namespace ote::agent {
namespace {
namespace fs = std::filesystem;

void Wipe(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return;
  if (auto done = crypto::DestroyKeyFile(file); !done) {
    log::Error("key of a run not destroyed", {{"file", file.string()}, {"why", done.error().message}});
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
