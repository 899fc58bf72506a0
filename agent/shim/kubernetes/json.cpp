#include "agent/shim/kubernetes/json.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "crypto/sha256.h"

namespace ote::kube {

Result<Json> ParseAnswer(std::string_view text) {
  constexpr int kMaxDepth = 200;
  bool deep = false;
  const auto bounded = [&deep](int depth, Json::parse_event_t, Json&) {
    deep = deep || depth > kMaxDepth;
    return !deep;
  };
  Json json = Json::parse(text.begin(), text.end(), bounded, false);
  if (json.is_discarded() || deep) {
    return Fail(ErrorId::kKubeFailed, deep ? "the answer is nested too deep" : "the answer is not JSON");
  }
  return json;
}

const Json& At(const Json& json, std::initializer_list<std::string_view> path) {
  static const Json kNull;
  const Json* at = &json;
  for (const std::string_view key : path) {
    if (!at->is_object()) return kNull;
    const auto it = at->find(std::string(key));
    if (it == at->end()) return kNull;
    at = &*it;
  }
  return *at;
}

std::string TextAt(const Json& json, std::initializer_list<std::string_view> path) {
  const Json& value = At(json, path);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::int64_t NumberAt(const Json& json, std::initializer_list<std::string_view> path, std::int64_t otherwise) {
  const Json& value = At(json, path);
  return value.is_number_integer() ? value.get<std::int64_t>() : otherwise;
}

UnixMillis TimeOf(std::string_view text) {
  int year = 0;
  unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0;
  int used = 0;
  const std::string copy(text.substr(0, 64));
  if (std::sscanf(copy.c_str(), "%4d-%2u-%2uT%2u:%2u:%2u%n", &year, &month, &day, &hour, &minute, &second, &used) != 6)
    return 0;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return 0;
  std::int64_t millis = 0;
  std::string_view rest = std::string_view(copy).substr(static_cast<std::size_t>(used));
  if (rest.starts_with('.')) {
    std::int64_t unit = 100;
    rest.remove_prefix(1);
    for (; !rest.empty() && rest[0] >= '0' && rest[0] <= '9'; rest.remove_prefix(1), unit /= 10)
      millis += (rest[0] - '0') * unit;
  }
  std::int64_t offset = 0;
  if (rest != "Z") {
    unsigned off_hour = 0, off_minute = 0;
    char sign = 0;
    if (std::sscanf(std::string(rest).c_str(), "%c%2u:%2u", &sign, &off_hour, &off_minute) != 3) return 0;
    offset = (static_cast<std::int64_t>(off_hour) * 60 + off_minute) * 60'000 * (sign == '-' ? -1 : 1);
  }
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  return ((static_cast<std::int64_t>(days) * 24 + hour) * 60 + minute) * 60'000 + second * 1000LL + millis - offset;
}

std::string Base64Encode(ByteView bytes) {
  std::string text = Base64UrlEncode(bytes);
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

Result<Bytes> Base64Decode(std::string_view text) {
  std::string url;
  for (const char c : text) {
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t') continue;
    if (c == '-' || c == '_') return Fail(ErrorId::kMalformed, "base64: a foreign character");
    url.push_back(c == '+' ? '-' : c == '/' ? '_' : c);
  }
  if (url.size() % 4 != 0) return Fail(ErrorId::kMalformed, "base64: its length is wrong");
  for (int i = 0; i < 2 && url.ends_with('='); ++i) url.pop_back();
  return Base64UrlDecode(url);
}

std::string Escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string Sha256Hex(std::string_view text) {
  const auto digest = crypto::Sha256(AsBytes(text));
  return HexEncode(digest);
}

}  // namespace ote::kube
