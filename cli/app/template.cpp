#include "cli/app/template.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <kainjow/mustache.hpp>
#include <set>

#include "core/base/bytes.h"
#include "core/base/ids.h"

namespace ote::cli {
namespace {

struct Head {
  std::string about;
  std::vector<TemplateValue> values;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("about", self.about, kRequired);
    v("values", self.values, kRequired);
  }
};

tl::unexpected<Error> Invalid(const std::string& message, const std::string& hint = {}) {
  return Fail(ErrorId::kTemplateInvalid, message, hint);
}

// The names between {{ and }}, without #, / and ^.
std::vector<std::string> NamesIn(std::string_view body) {
  std::vector<std::string> names;
  for (std::size_t at = body.find("{{"); at != std::string_view::npos; at = body.find("{{", at)) {
    const std::size_t end = body.find("}}", at);
    if (end == std::string_view::npos) break;
    std::string name(body.substr(at + 2, end - at - 2));
    if (!name.empty() && std::string_view("#/^").find(name[0]) != std::string_view::npos) name.erase(0, 1);
    names.push_back(std::move(name));
    at = end + 2;
  }
  return names;
}

bool IsQuantity(std::string_view text) {
  constexpr std::string_view kUnits[] = {"",   "m",  "k",   "K",  "kB",  "M",  "MB",  "G",  "GB", "T",
                                         "TB", "Ki", "KiB", "Mi", "MiB", "Gi", "GiB", "Ti", "TiB"};
  std::size_t digits = 0;
  bool point = false;
  while (digits < text.size() &&
         ((text[digits] >= '0' && text[digits] <= '9') || (text[digits] == '.' && digits > 0 && !point))) {
    point = point || text[digits] == '.';
    ++digits;
  }
  if (digits == 0 || digits > 18 || text[digits - 1] == '.') return false;
  return std::find(std::begin(kUnits), std::end(kUnits), text.substr(digits)) != std::end(kUnits);
}

Result<std::string> Encode(const TemplateValue& value, const std::string& text) {
  const auto wrong = [&](std::string_view want) {
    // A secret is not shown, not even a wrong one.
    const std::string shown = value.type == TemplateType::kSecret ? "" : fmt::format(" {}", text);
    return Invalid(fmt::format("value {}:{} is not {}", value.name, shown, want));
  };
  switch (value.type) {
    case TemplateType::kName:
      if (!CheckName("value", text)) return wrong("a name: a-z, 0-9 and '-'");
      return text;
    case TemplateType::kPort: {
      int port = 0;
      const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
      if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || port < 1 || port > 65'535)
        return wrong("a port from 1 to 65535");
      return std::to_string(port);
    }
    case TemplateType::kQuantity:
      if (!IsQuantity(text)) return wrong("a quantity, such as 2, 500m, 64MiB");
      break;
    case TemplateType::kText:
    case TemplateType::kSecret:
      break;
  }
  auto quoted = QuoteYaml(text);
  if (!quoted) return wrong("text in UTF-8");
  return quoted;
}

// Each document of what came out can be read; a template that makes others is broken, not its values.
Result<void> CheckDocuments(const Template& with, std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find("\n---\n"), text.size());
    auto json = ParseYaml(text.substr(0, end), with.name, nullptr);
    if (!json) return Fail(std::move(json).error().Context(fmt::format("template {}", with.name)));
    text.remove_prefix(std::min(end + 5, text.size()));
  }
  return {};
}

}  // namespace

Result<std::string> QuoteYaml(std::string_view text) {
  if (!IsUtf8(text)) return Invalid("not UTF-8");
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::string_view rest = text.substr(i);
    if (byte == '"' || byte == '\\') {
      out += {'\\', text[i]};
    } else if (byte == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else if (byte == 0xc2 && rest.size() > 1 && static_cast<unsigned char>(rest[1]) < 0xa0) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(rest[1]));  // a control character of Latin 1
      ++i;
    } else if (rest.starts_with("\xe2\x80\xa8") || rest.starts_with("\xe2\x80\xa9")) {
      out += rest[2] == '\xa8' ? "\\L" : "\\P";  // what some readers take for the end of a line
      i += 2;
    } else if (rest.starts_with("\xef\xbb\xbf")) {
      out += "\\ufeff";
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out + "\"";
}

Result<Template> ReadTemplate(std::string_view text, const std::string& name, const std::string& file) {
  const std::size_t end = text.find("\n---\n");
  if (end == std::string_view::npos) return Invalid(file + ": no line of --- between the values and the app");
  auto head = FromYaml<Head>(text.substr(0, end + 1), file);
  if (!head) return Invalid(head.error().message);
  Template out{name, std::move(head->about), std::move(head->values), std::string(text.substr(end + 5))};
  std::set<std::string> known;
  for (const auto& value : out.values) {
    known.insert(value.name);
    known.insert("has_" + value.name);
  }
  for (const auto& used : NamesIn(out.body)) {
    if (!known.contains(used)) return Invalid(fmt::format("{}: {{{{{}}}}} is not described in its head", file, used));
  }
  return out;
}

Result<std::string> FillTemplate(const Template& with, const TemplateInput& input) {
  const std::string hint = fmt::format("ote app init --template {} --help-values", with.name);
  std::vector<std::string_view> names;
  for (const auto& value : with.values) names.push_back(value.name);
  for (const auto& [name, text] : input) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    const auto near = Nearest(name, names);
    return Invalid(fmt::format("value {}: the template {} has none of that name{}", name, with.name,
                               near.empty() ? "" : fmt::format("; did you mean {}?", near)),
                   hint);
  }
  kainjow::mustache::data data;
  for (const auto& value : with.values) {
    const auto given = input.find(value.name);
    std::string text = given != input.end() ? given->second : value.fallback.value_or("");
    if (text.empty() && value.required) {
      return Invalid(fmt::format("value {}: missing; it is {}", value.name, value.description),
                     fmt::format("--set {}=…", value.name));
    }
    data.set("has_" + value.name, !text.empty());
    if (text.empty() && value.type != TemplateType::kText) {
      data.set(value.name, std::string());
      continue;
    }
    OTE_TRY(auto encoded, Encode(value, text));
    data.set(value.name, std::move(encoded));
  }
  std::string out;
  try {
    kainjow::mustache::mustache page(with.body);
    // What goes in is YAML already; the escapes of the library are those of HTML.
    page.set_custom_escape([](const std::string& text) { return text; });
    if (!page.is_valid()) return Invalid(fmt::format("template {}: {}", with.name, page.error_message()));
    out = page.render(data);
  } catch (const std::exception& thrown) {
    return Invalid(fmt::format("template {}: {}", with.name, thrown.what()));
  }
  OTE_CHECK(CheckDocuments(with, out));
  return out;
}

}  // namespace ote::cli
