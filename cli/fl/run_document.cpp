#include "cli/fl/run_document.h"

#include <fmt/format.h>

#include <algorithm>
#include <istream>
#include <iterator>
#include <vector>

#include "core/base/files.h"
#include "core/federate/strategy.h"
#include "core/learn/models.h"

namespace ote::cli {
namespace {

// "model.hidden[1]" -> "/model/hidden/1"; "" for what is no field.
std::string PointerOf(std::string_view field) {
  std::string pointer;
  bool begins = true;
  for (const char c : field) {
    if (c == '.' || c == '[') {
      begins = true;
    } else if (c != ']') {
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (!letter) return {};
      if (begins) pointer.push_back('/');
      begins = false;
      pointer.push_back(c);
    }
  }
  return pointer;
}

// The names that `part` of the document gives and `known` does not have, though they differ from the defaults.
template <class Setting>
Result<void> CheckPart(const Json& document, const SourceMap& map, std::string_view part, std::string_view kind,
                       const Json& defaults, const std::vector<Setting>& known) {
  const auto it = document.find(std::string(part));
  if (it == document.end() || !it->is_object()) return {};
  for (auto item = it->begin(); item != it->end(); ++item) {
    const std::string& name = item.key();
    const Json& value = *item;
    if (name == "kind" || value.is_null()) continue;
    const bool reads = std::any_of(known.begin(), known.end(), [&](const Setting& s) { return s.name == name; });
    const auto fallback = defaults.find(name);
    if (reads || (fallback != defaults.end() && *fallback == value)) continue;
    std::vector<std::string_view> names;
    std::string listed;
    for (const Setting& setting : known) {
      names.push_back(setting.name);
      listed += fmt::format("{}{}", listed.empty() ? "" : ", ", setting.name);
    }
    const std::string at = map.At(fmt::format("/{}/{}", part, name));
    const std::string_view near = Nearest(name, names);
    return Fail(ErrorId::kInputUnknownField,
                fmt::format("{}{}{}.{}: {} does not read it; {}", at, at.empty() ? "" : ": ", part, name, kind,
                            !near.empty()    ? fmt::format("did you mean {}?", near)
                            : listed.empty() ? "it has no settings"
                                             : "its settings are " + listed),
                part == "model" ? "ote model kinds" : "ote fl strategies");
  }
  return {};
}

}  // namespace

Result<void> RunDocument::Set(const std::string& setting) {
  const std::size_t equals = setting.find('=');
  const std::string field = setting.substr(0, equals);
  const std::string pointer = PointerOf(field);
  if (equals == setting.npos || pointer.empty()) {
    return Fail(ErrorId::kUsage, fmt::format("--set {}: it must be FIELD=VALUE", setting),
                "such as --set strategy.proximal=0.1");
  }
  OTE_TRY(const Json value, ParseYaml("v: " + setting.substr(equals + 1), "--set " + field, nullptr));
  try {
    json[Json::json_pointer(pointer)] = value.at("v");
  } catch (const Json::exception&) {
    return Fail(ErrorId::kUsage, fmt::format("--set {}: there is no such field", field), "see ote-run(5)");
  }
  map.lines[pointer] = 0;
  return {};
}

Result<void> RunDocument::CheckUsed(const api::RunSpec& spec) const {
  OTE_CHECK(CheckPart(json, map, "model", NameOf(spec.model.kind), ToJson(api::ModelSpec{}),
                      learn::InfoOf(spec.model.kind).settings));
  return CheckPart(json, map, "strategy", NameOf(spec.strategy.kind), ToJson(api::StrategySpec{}),
                   federate::InfoOf(spec.strategy.kind).settings);
}

Error RunDocument::Located(Error error) const {
  const bool field_first =
      error.id == ErrorId::kRunInvalid || error.id == ErrorId::kSelectorEmpty || error.id == ErrorId::kSelectorInvalid;
  if (!field_first || map.file.empty()) return error;
  const std::string pointer = PointerOf(std::string_view(error.message).substr(0, error.message.find(':')));
  if (pointer.empty()) return error;
  const auto line = map.lines.find(pointer);
  if (line != map.lines.end() && line->second == 0) return error;  // from the command line
  const std::string at = map.At(pointer);
  return at.empty() ? error : std::move(error).Context(at);
}

Result<RunDocument> ReadRunDocument(Context& context, const std::filesystem::path& file) {
  RunDocument document;
  if (file.empty()) return document;
  std::string text;
  if (file == "-") {
    text.assign(std::istreambuf_iterator<char>(context.in), {});
  } else {
    OTE_TRY(text, ReadTextFile(context.Absolute(file), 1 << 20));
  }
  OTE_TRY(document.json, ParseYaml(text, file == "-" ? "standard input" : file.string(), &document.map));
  if (!document.json.is_object()) {
    return Fail(ErrorId::kInputBadValue, fmt::format("{}: a run file is a map of fields", document.map.file),
                "see ote-run(5)");
  }
  return document;
}

}  // namespace ote::cli
