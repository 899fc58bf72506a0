#include "core/base/codec.h"

#include <fmt/format.h>

#include "core/base/json_builder.h"

namespace ote {
namespace {

bool HasBinary(const Json& json) {
  if (json.is_binary()) return true;
  if (!json.is_structured()) return false;
  return std::any_of(json.begin(), json.end(), HasBinary);
}

Json WithoutBinary(const Json& json) {
  if (json.is_binary()) return Base64UrlEncode(json.get_binary());
  if (!json.is_structured()) return json;
  Json copy = json;
  for (Json& item : copy) item = WithoutBinary(item);
  return copy;
}

// "/model/hidden/0" -> "model.hidden[0]"
std::string FieldName(std::string_view pointer) {
  std::string name;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::string_view part = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(part.size());
    if (!part.empty() && part.find_first_not_of("0123456789") == part.npos && !name.empty()) {
      name += fmt::format("[{}]", part);
    } else {
      if (!name.empty()) name.push_back('.');
      name += part;
    }
  }
  return codec::ForMessage(name, 120);
}

std::string Shown(const Json& value) {
  switch (value.type()) {
    case Json::value_t::object:
      return "a map";
    case Json::value_t::array:
      return "a list";
    case Json::value_t::null:
      return "nothing";
    case Json::value_t::binary:
      return "bytes";
    case Json::value_t::string:
      return fmt::format("\"{}\"", codec::ForMessage(value.get_ref<const std::string&>()));
    default:
      return DumpJson(value);
  }
}

}  // namespace

std::string SourceMap::At(const std::string& pointer) const {
  if (file.empty()) return {};
  for (std::string place = pointer;;) {
    if (const auto it = lines.find(place); it != lines.end()) return fmt::format("{}:{}", file, it->second);
    const std::size_t slash = place.rfind('/');
    if (slash == place.npos) return file;
    place.resize(slash);
  }
}

std::string DumpJson(const Json& json, int indent) {
  const auto text = [indent](const Json& value) {
    return value.dump(indent, ' ', false, Json::error_handler_t::replace);
  };
  return HasBinary(json) ? text(WithoutBinary(json)) : text(json);
}

namespace codec {

std::string Reader::Where(const std::string& at) const {
  if (map_ == nullptr) return {};
  const std::string place = map_->At(at);
  return place.empty() ? place : place + ": ";
}

Error Reader::BadValue(const std::string& at, std::string_view want, const Json& got) const {
  const std::string field = at.empty() ? "the document" : FieldName(at);
  return {
      ErrorId::kInputBadValue, fmt::format("{}{}: it is {}, and must be {}", Where(at), field, Shown(got), want), {}};
}

Error Reader::Missing(const std::string& at, std::string_view field) const {
  return {ErrorId::kInputMissingField,
          fmt::format("{}{}: the field is missing", Where(at), FieldName(at + "/" + std::string(field))),
          {}};
}

Error Reader::UnknownField(const std::string& at, std::string_view field,
                           const std::vector<std::string_view>& known) const {
  std::string message = fmt::format("{}{}: no such field", Where(at), FieldName(at));
  // A name longer than any field's is no slip of the pen, and comparing it would cost time in its length.
  const std::string_view near = field.size() <= 64 ? Nearest(field, known) : std::string_view();
  if (!near.empty()) {
    message += fmt::format("; did you mean {}?", near);
  } else if (!known.empty()) {
    message += fmt::format("; known here are {}", fmt::join(known, ", "));
  }
  return {ErrorId::kInputUnknownField, std::move(message), {}};
}

}  // namespace codec
}  // namespace ote
