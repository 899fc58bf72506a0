// One struct, three spellings: JSON, YAML and CBOR.
//
// A resource tells its fields once:
//
//   struct Token {
//     std::string id;
//     std::int64_t expires_at = 0;
//     std::map<std::string, std::string> labels;
//
//     template <class Self, class V>
//     static void Fields(Self& self, V&& v) {
//       v("id", self.id, kRequired);
//       v("expiresAt", self.expires_at);
//       v("labels", self.labels);
//     }
//   };
//
// and ToJson(token), FromJson<Token>(json), FromYaml<Token>(text, file), ToCbor and FromCbor follow. Reading refuses
// unknown fields (kInputUnknownField, with the nearest known one), wrong types and values out of range
// (kInputBadValue), missing required fields (kInputMissingField), and, for YAML, says file and line. What a peer sends
// is bounded in depth; lengths that it claims are never trusted for an allocation.
//
// Field types: bool, integers, double, float, std::string, Bytes (CBOR byte string, JSON base64url), Json, enums with
// an EnumNames specialisation, std::optional (absent when empty), std::vector, std::map<std::string, T>, and structs
// with Fields. 64-bit unsigned integers are strings in JSON when the type is BigId.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/ids.h"
#include "core/base/result.h"

namespace ote {

using Json = nlohmann::json;

enum class Need { kOptional, kRequired };
inline constexpr Need kRequired = Need::kRequired;
inline constexpr Need kOptional = Need::kOptional;

// A 64-bit number that JSON readers would round: spelled as a decimal string.
struct BigId {
  std::uint64_t value = 0;
  friend bool operator==(BigId, BigId) = default;
  friend auto operator<=>(BigId, BigId) = default;
};

// Specialise for each enum that stands in a resource:
//   template <> struct ote::EnumNames<Role> { static constexpr std::pair<Role, std::string_view> kNames[] = {…}; };
template <class E>
struct EnumNames;
template <class E>
std::string_view NameOf(E value) noexcept {
  for (const auto& [v, name] : EnumNames<E>::kNames) {
    if (v == value) return name;
  }
  return "?";
}
template <class E>
std::optional<E> EnumOf(std::string_view text) noexcept {
  for (const auto& [v, name] : EnumNames<E>::kNames) {
    if (name == text) return v;
  }
  return std::nullopt;
}

// Where a value stands in a document: file, and JSON pointer to line.
struct SourceMap {
  std::string file;
  std::map<std::string, int> lines;  // "/model/hidden/0" -> 12
  // "run.yaml:12", or the nearest enclosing value's line; "" for a document with no source.
  std::string At(const std::string& pointer) const;
};

// Text to values. A document is at most 1 MiB, 32 levels deep, and has no aliases (YAML), no duplicate keys.
Result<Json> ParseJson(std::string_view text, std::string_view file = {});
Result<Json> ParseYaml(std::string_view text, std::string_view file, SourceMap* map);
// Untrusted bytes from the wire or disk: at most 32 levels deep, no trailing bytes. kProtocol otherwise.
Result<Json> ParseCbor(ByteView bytes);
Bytes DumpCbor(const Json& value);
std::string DumpYaml(const Json& value);

namespace codec {

// What people write is refused when it has a field that is not known; what a peer or an older or newer ote wrote may
// have fields that this one does not know, and they are passed over.
enum class Unknown { kRefuse, kIgnore };

// Errors of one reading: the place is kept as a JSON pointer, the source map turns it into file and line.
class Reader {
 public:
  explicit Reader(const SourceMap* map, Unknown unknown = Unknown::kRefuse) : map_(map), unknown_(unknown) {}
  bool RefusesUnknown() const noexcept { return unknown_ == Unknown::kRefuse; }
  Error BadValue(const std::string& at, std::string_view want, const Json& got) const;
  Error Missing(const std::string& at, std::string_view field) const;
  Error UnknownField(const std::string& at, std::string_view field, const std::vector<std::string_view>& known) const;
  // `file:line: ` or "" before a message about the value at `at`.
  std::string Where(const std::string& at) const;

 private:
  const SourceMap* map_;
  Unknown unknown_;
};

template <class T>
concept HasFields = requires(T& t) {
  T::Fields(t, [](auto&&...) {});
};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class T>
struct IsMap<std::map<std::string, T>> : std::true_type {};

template <class T>
Json Encode(const T& value) {
  if constexpr (std::is_same_v<T, Json>) {
    return value;
  } else if constexpr (std::is_same_v<T, Bytes>) {
    return Json::binary(value);
  } else if constexpr (std::is_same_v<T, BigId>) {
    return std::to_string(value.value);
  } else if constexpr (HasFields<T>) {
    Json object = Json::object();
    T::Fields(value, [&object](std::string_view name, const auto& field, Need = kOptional) {
      using F = std::decay_t<decltype(field)>;
      if constexpr (IsOptional<F>::value) {
        if (field) object[std::string(name)] = Encode(*field);
      } else {
        object[std::string(name)] = Encode(field);
      }
    });
    return object;
  } else if constexpr (std::is_enum_v<T>) {
    return std::string(NameOf(value));
  } else if constexpr (IsVector<T>::value) {
    Json array = Json::array();
    for (const auto& item : value) array.push_back(Encode(item));
    return array;
  } else if constexpr (IsMap<T>::value) {
    Json object = Json::object();
    for (const auto& [key, item] : value) object[key] = Encode(item);
    return object;
  } else {
    return Json(value);
  }
}

template <class T>
Result<void> Decode(const Json& json, T& out, const std::string& at, const Reader& reader);

template <class T>
Result<void> DecodeNumber(const Json& json, T& out, const std::string& at, const Reader& reader) {
  if constexpr (std::is_floating_point_v<T>) {
    if (!json.is_number()) return Fail(reader.BadValue(at, "a number", json));
    out = static_cast<T>(json.get<double>());
  } else {
    const std::string want = "a whole number from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
                             std::to_string(std::numeric_limits<T>::max());
    if (json.is_number_unsigned()) {
      const auto v = json.get<std::uint64_t>();
      if (!std::in_range<T>(v)) return Fail(reader.BadValue(at, want, json));
      out = static_cast<T>(v);
    } else if (json.is_number_integer()) {
      const auto v = json.get<std::int64_t>();
      if (!std::in_range<T>(v)) return Fail(reader.BadValue(at, want, json));
      out = static_cast<T>(v);
    } else {
      return Fail(reader.BadValue(at, want, json));
    }
  }
  return {};
}

template <class T>
Result<void> DecodeEnum(const Json& json, T& out, const std::string& at, const Reader& reader) {
  std::string want = "one of";
  std::vector<std::string_view> names;
  for (const auto& [v, name] : EnumNames<T>::kNames) {
    want.append(names.empty() ? " " : ", ").append(name);
    names.push_back(name);
  }
  if (!json.is_string()) return Fail(reader.BadValue(at, want, json));
  const auto& text = json.get_ref<const std::string&>();
  if (auto value = EnumOf<T>(text)) {
    out = *value;
    return {};
  }
  if (const auto near = Nearest(text, names); !near.empty()) want.append("; did you mean ").append(near).append("?");
  return Fail(reader.BadValue(at, want, json));
}

template <class T>
Result<void> DecodeStruct(const Json& json, T& out, const std::string& at, const Reader& reader) {
  if (!json.is_object()) return Fail(reader.BadValue(at, "an object", json));
  std::vector<std::string_view> known;
  Result<void> result{};
  T::Fields(out, [&](std::string_view name, auto& field, Need need = kOptional) {
    known.push_back(name);
    if (!result) return;
    const auto it = json.find(std::string(name));
    using F = std::decay_t<decltype(field)>;
    if (it == json.end() || (it->is_null() && !std::is_same_v<F, Json>)) {
      if (need == kRequired) result = Fail(reader.Missing(at, name));
      return;
    }
    result = Decode(*it, field, at + "/" + std::string(name), reader);
  });
  if (!result) return result;
  if (!reader.RefusesUnknown()) return {};
  for (const auto& [key, value] : json.items()) {
    bool found = false;
    for (std::string_view name : known) found = found || name == key;
    if (!found) return Fail(reader.UnknownField(at + "/" + key, key, known));
  }
  return {};
}

template <class T>
Result<void> Decode(const Json& json, T& out, const std::string& at, const Reader& reader) {
  if constexpr (std::is_same_v<T, Json>) {
    out = json;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) return Fail(reader.BadValue(at, "true or false", json));
    out = json.get<bool>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) return Fail(reader.BadValue(at, "a string", json));
    out = json.get<std::string>();
  } else if constexpr (std::is_same_v<T, Bytes>) {
    if (json.is_binary()) {
      out = json.get_binary();
    } else if (json.is_string()) {
      auto bytes = Base64UrlDecode(json.get_ref<const std::string&>());
      if (!bytes) return Fail(reader.BadValue(at, "base64url without padding", json));
      out = std::move(*bytes);
    } else {
      return Fail(reader.BadValue(at, "bytes", json));
    }
  } else if constexpr (std::is_same_v<T, BigId>) {
    if (!json.is_string()) return Fail(reader.BadValue(at, "a whole number as a string", json));
    const auto& text = json.get_ref<const std::string&>();
    std::uint64_t value = 0;
    for (char c : text) {
      const auto digit = static_cast<std::uint64_t>(c - '0');
      if (c < '0' || c > '9' || value > (UINT64_MAX - digit) / 10)
        return Fail(reader.BadValue(at, "a 64-bit number", json));
      value = value * 10 + digit;
    }
    if (text.empty()) return Fail(reader.BadValue(at, "a 64-bit number", json));
    out.value = value;
  } else if constexpr (std::is_arithmetic_v<T>) {
    return DecodeNumber(json, out, at, reader);
  } else if constexpr (std::is_enum_v<T>) {
    return DecodeEnum(json, out, at, reader);
  } else if constexpr (IsOptional<T>::value) {
    typename T::value_type value{};
    OTE_CHECK(Decode(json, value, at, reader));
    out = std::move(value);
  } else if constexpr (IsVector<T>::value) {
    if (!json.is_array()) return Fail(reader.BadValue(at, "a list", json));
    out.clear();
    for (std::size_t i = 0; i < json.size(); ++i) {
      typename T::value_type item{};
      OTE_CHECK(Decode(json[i], item, at + "/" + std::to_string(i), reader));
      out.push_back(std::move(item));
    }
  } else if constexpr (IsMap<T>::value) {
    if (!json.is_object()) return Fail(reader.BadValue(at, "a map", json));
    out.clear();
    for (const auto& [key, value] : json.items()) {
      OTE_CHECK(Decode(value, out[key], at + "/" + key, reader));
    }
  } else {
    static_assert(HasFields<T>, "give the type a Fields function");
    return DecodeStruct(json, out, at, reader);
  }
  return {};
}

}  // namespace codec

template <class T>
Json ToJson(const T& value) {
  return codec::Encode(value);
}
template <class T>
Result<T> FromJson(const Json& json, const SourceMap* map = nullptr) {
  T value{};
  OTE_CHECK(codec::Decode(json, value, "", codec::Reader(map)));
  return value;
}
// For bodies that came from a peer or from the store: unknown fields are passed over.
template <class T>
Result<T> FromWire(const Json& json) {
  T value{};
  OTE_CHECK(codec::Decode(json, value, "", codec::Reader(nullptr, codec::Unknown::kIgnore)));
  return value;
}
template <class T>
Result<T> FromYaml(std::string_view text, std::string_view file) {
  SourceMap map;
  OTE_TRY(const Json json, ParseYaml(text, file, &map));
  return FromJson<T>(json, &map);
}
template <class T>
Bytes ToCbor(const T& value) {
  return DumpCbor(codec::Encode(value));
}
template <class T>
Result<T> FromCbor(ByteView bytes) {
  OTE_TRY(const Json json, ParseCbor(bytes));
  return FromWire<T>(json);
}
// `json` as text for -o json: binaries as base64url, invalid UTF-8 replaced, never throws. `indent` < 0 for one line.
std::string DumpJson(const Json& json, int indent = -1);

}  // namespace ote
