#include "agent/apps/line_diff.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace ote::agent {
namespace {

constexpr std::size_t kMost = 2'000;

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

std::string LineDiff(std::string_view before, std::string_view after) {
  if (before == after) return {};
  const auto a = Lines(before);
  const auto b = Lines(after);
  struct Row {
    char mark;
    std::string_view text;
  };
  std::vector<Row> rows;
  if (a.size() > kMost || b.size() > kMost) {
    for (const auto& line : a) rows.push_back({'-', line});
    for (const auto& line : b) rows.push_back({'+', line});
  } else {
    const std::size_t width = b.size() + 1;
    std::vector<std::uint16_t> common((a.size() + 1) * width, 0);  // of what follows i and j
    for (std::size_t i = a.size(); i-- > 0;) {
      for (std::size_t j = b.size(); j-- > 0;) {
        common[i * width + j] = a[i] == b[j] ? static_cast<std::uint16_t>(common[(i + 1) * width + j + 1] + 1)
                                             : std::max(common[(i + 1) * width + j], common[i * width + j + 1]);
      }
    }
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < a.size() || j < b.size()) {
      if (i < a.size() && j < b.size() && a[i] == b[j]) {
        rows.push_back({' ', a[i++]});
        ++j;
      } else if (j == b.size() || (i < a.size() && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
        rows.push_back({'-', a[i++]});
      } else {
        rows.push_back({'+', b[j++]});
      }
    }
  }
  std::string text;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const bool near =
        rows[k].mark != ' ' || (k > 0 && rows[k - 1].mark != ' ') || (k + 1 < rows.size() && rows[k + 1].mark != ' ');
    if (!near) continue;
    text.push_back(rows[k].mark);
    text.push_back(' ');
    text.append(rows[k].text).push_back('\n');
  }
  return text;
}

}  // namespace ote::agent
