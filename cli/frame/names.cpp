#include "cli/frame/names.h"

#include <algorithm>
#include <sstream>

#include "cli/frame/settings.h"
#include "core/base/files.h"

namespace ote::cli {

std::filesystem::path NamesFile(const Context& context) { return CacheFolder(context) / "names"; }

void CacheNames(const Context& context, std::string_view kind, const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 1000;  // a kind; more are no help in completing
  const std::filesystem::path file = NamesFile(context);
  std::string text;
  std::string before;
  if (auto old = ReadTextFile(file, 1 << 20)) before = std::move(*old);
  std::istringstream lines(before);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(std::string(kind) + " ")) text += line + "\n";
  }
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i) text += std::string(kind) + " " + names[i] + "\n";
  if (text == before) return;
  if (!MakeFolder(file.parent_path(), 0700)) return;
  (void)WriteFileAtomic(file, AsBytes(text), 0600, Durability::kBestEffort).has_value();
}

}  // namespace ote::cli
