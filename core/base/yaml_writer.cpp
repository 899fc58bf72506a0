// YAML from Json, in block style. Whatever stands here is read back by ParseYaml as the same value.
#include <fmt/format.h>

#include <cmath>

#include "core/base/codec.h"
#include "core/base/yaml_scalar.h"

namespace ote {
namespace {

// Plain only where nobody could take the text for anything else; everything else is quoted as in JSON, which YAML
// shares.
bool IsPlain(std::string_view text) {
  constexpr std::string_view kInside = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-";
  if (text.empty() || text.size() > 200 || text.find_first_not_of(kInside) != text.npos) return false;
  if (text.front() == '-' || text.front() == '+' || text.front() == '.') return false;
  // Older readers take these for booleans.
  for (std::string_view word :
       {"y", "Y", "yes", "Yes", "YES", "n", "N", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF"}) {
    if (text == word) return false;
  }
  const auto resolved = codec::ResolvePlain(text);
  return resolved && resolved->is_string();
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(text[i]);
    if (byte == '"' || byte == '\\') {
      quoted.push_back('\\');
      quoted.push_back(text[i]);
    } else if (byte == '\n') {
      quoted += "\\n";
    } else if (byte == '\t') {
      quoted += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      quoted += fmt::format("\\x{:02x}", byte);
    } else {
      quoted.push_back(text[i]);
    }
  }
  quoted.push_back('"');
  return quoted;
}

std::string Text(const std::string& text) {
  if (IsPlain(text)) return text;
  if (IsUtf8(text)) return Quoted(text);
  // DumpJson replaces what is not UTF-8; reading that back cannot fail.
  return Quoted(Json::parse(DumpJson(Json(text))).get_ref<const std::string&>());
}

std::string Scalar(const Json& value) {
  if (value.is_string()) return Text(value.get_ref<const std::string&>());
  if (value.is_binary()) return Text(Base64UrlEncode(value.get_binary()));
  if (value.is_structured()) return value.is_array() ? "[]" : "{}";
  return DumpJson(value);
}

bool IsBlock(const Json& value) { return value.is_structured() && !value.empty(); }

// `first` says that the caller has written the indentation already, after "- ".
void Write(const Json& value, std::size_t indent, bool first, std::string& out) {
  const std::string margin(indent, ' ');
  if (value.is_array()) {
    for (const Json& item : value) {
      if (!std::exchange(first, false)) out += margin;
      out += "- ";
      if (IsBlock(item)) {
        Write(item, indent + 2, true, out);
      } else {
        out += Scalar(item) + "\n";
      }
    }
    return;
  }
  for (const auto& [key, item] : value.items()) {
    if (!std::exchange(first, false)) out += margin;
    const std::string name = Text(key);
    // A reader takes only the first 1024 characters of a line for a key, unless it is marked as one.
    const bool marked = name.size() > 200;
    out += marked ? "? " + name + "\n" + margin + ":" : name + ":";
    if (IsBlock(item)) {
      out += "\n";
      Write(item, indent + 2, false, out);
    } else {
      out += " " + Scalar(item) + "\n";
    }
  }
}

}  // namespace

std::string DumpYaml(const Json& value) {
  if (!IsBlock(value)) return Scalar(value) + "\n";
  std::string out;
  Write(value, 0, false, out);
  return out;
}

}  // namespace ote
