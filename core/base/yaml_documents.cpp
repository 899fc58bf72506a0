#include "core/base/yaml_documents.h"

#include <fmt/format.h>

#include <algorithm>

namespace ote {
namespace {

constexpr std::size_t kMaxText = 16U << 20;
constexpr std::size_t kMaxDocuments = 1000;

// "---" in the first column begins a document wherever it stands: no scalar may hold such a line (YAML 1.2, 9.1.2).
bool Begins(std::string_view line) {
  return line.starts_with("---") && (line.size() == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r');
}

struct Part {
  std::string_view text;
  int line = 0;  // of its first line, from 0
};

std::vector<Part> Split(std::string_view text) {
  std::vector<Part> parts;
  std::size_t start = 0;
  int start_line = 0;
  int line = 0;
  for (std::size_t at = 0; at < text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (at > start && Begins(text.substr(at, end - at))) {
      parts.push_back({text.substr(start, at - start), start_line});
      start = at;
      start_line = line;
    }
    at = end + 1;
  }
  parts.push_back({text.substr(start), start_line});
  return parts;
}

}  // namespace

Result<std::vector<YamlDocument>> ParseYamlDocuments(std::string_view text, std::string_view file) {
  if (text.size() > kMaxText) {
    return Fail(ErrorId::kInputSyntax,
                fmt::format("{}: it has {} bytes, more than {}", file.empty() ? "YAML" : file, text.size(), kMaxText));
  }
  const auto parts = Split(text);
  if (parts.size() > kMaxDocuments) {
    return Fail(ErrorId::kInputSyntax,
                fmt::format("{}: it has more than {} documents", file.empty() ? "YAML" : file, kMaxDocuments));
  }
  std::vector<YamlDocument> documents;
  for (const Part& part : parts) {
    YamlDocument document;
    auto value = ParseYaml(part.text, file, &document.map);
    if (!value) {
      // The place in the message is that within the part: said again with the lines of the whole.
      std::string whole(static_cast<std::size_t>(part.line), '\n');
      whole += part.text;
      auto again = ParseYaml(whole, file, nullptr);
      return Fail(again ? std::move(value).error() : std::move(again).error());
    }
    if (value->is_null()) continue;
    document.value = std::move(*value);
    for (auto& [pointer, line] : document.map.lines) line += part.line;
    documents.push_back(std::move(document));
  }
  return documents;
}

}  // namespace ote
