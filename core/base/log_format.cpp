#include "core/base/log_format.h"

#include <fmt/format.h>

#include "core/base/bytes.h"
#include "core/base/codec.h"
#include "core/base/log_sink.h"

namespace ote::log {
std::string_view LevelName(Level level) noexcept {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
    case Level::kOff:
      break;
  }
  return "off";
}

namespace {

// C0, DEL, and the C1 controls, which terminals obey too and which UTF-8 spells as C2 80 to C2 9F.
std::size_t ControlLength(std::string_view text, std::size_t at) noexcept {
  const auto byte = static_cast<std::uint8_t>(text[at]);
  if (byte < 0x20 || byte == 0x7f) return 1;
  if (byte == 0xc2 && at + 1 < text.size() && static_cast<std::uint8_t>(text[at + 1]) < 0xa0) return 2;
  return 0;
}

void AppendEscaped(std::string& line, std::string_view text, bool quoted) {
  const bool utf8 = IsUtf8(text);
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    if (const std::size_t length = ControlLength(text, i); length > 0 || (!utf8 && byte >= 0x80)) {
      if (text[i] == '\n') {
        line += "\\n";
      } else if (text[i] == '\t') {
        line += "\\t";
      } else {
        for (std::size_t k = 0; k < std::max<std::size_t>(length, 1); ++k) {
          line += fmt::format("\\x{:02x}", static_cast<std::uint8_t>(text[i + k]));
        }
      }
      i += std::max<std::size_t>(length, 1);
      continue;
    }
    if (text[i] == '\\' || (quoted && text[i] == '"')) line.push_back('\\');
    line.push_back(text[i]);
    ++i;
  }
}

bool NeedsQuotes(std::string_view value) noexcept {
  if (value.empty() || !IsUtf8(value)) return true;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (c == ' ' || c == '"' || c == '=' || c == '\\' || ControlLength(value, i) > 0) return true;
  }
  return false;
}

}  // namespace

std::string FormatLine(Level level, Format format, UnixMillis at, std::string_view event, std::span<const Field> fields,
                       std::string_view agent) {
  if (format == Format::kJson) {
    Json line{{"time", FormatTime(at)}, {"level", std::string(LevelName(level))}, {"event", std::string(event)}};
    if (!agent.empty()) line["agent"] = std::string(agent);
    for (const Field& field : fields) line.emplace(std::string(field.key), field.value);
    return DumpJson(line);
  }
  std::string line = fmt::format("{} {:<5} ", FormatTime(at), LevelName(level));
  AppendEscaped(line, event, false);
  for (const Field& field : fields) {
    line.push_back(' ');
    AppendEscaped(line, field.key, false);
    line.push_back('=');
    if (NeedsQuotes(field.value)) {
      line.push_back('"');
      AppendEscaped(line, field.value, true);
      line.push_back('"');
    } else {
      line += field.value;
    }
  }
  return line;
}

}  // namespace ote::log
