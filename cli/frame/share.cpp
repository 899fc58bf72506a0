#include "cli/frame/share.h"

#include <fmt/format.h>

#include <vector>

namespace ote::cli {

Result<std::filesystem::path> FindShared(const Context& context, const std::string& name) {
  std::vector<std::filesystem::path> folders;
  if (const auto chosen = context.Env("OTE_SHARE"); !chosen.empty()) folders.emplace_back(chosen);
  if (!context.program.empty()) {
    const auto bin = context.program.parent_path();
    folders.push_back(bin.parent_path() / "share" / "ote");
    // build/<preset>/bin/ote
    folders.push_back(bin.parent_path().parent_path().parent_path() / "templates");
  }
  std::string tried;
  for (const auto& folder : folders) {
    std::error_code ignored;
    if (std::filesystem::exists(folder / name, ignored)) return folder / name;
    tried += (tried.empty() ? "" : ", ") + folder.string();
  }
  return Fail(ErrorId::kNotFound, fmt::format("{}: not found in {}", name, tried.empty() ? "any known folder" : tried),
              "set OTE_SHARE to the folder that holds it");
}

}  // namespace ote::cli
