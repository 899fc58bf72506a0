// Builds a Json value from parser events, within bounds. Shared by the readers of this folder; nothing else includes
// it.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/codec.h"

namespace ote::codec {

inline constexpr std::size_t kMaxDepth = 32;
inline constexpr std::size_t kMaxDocument = 1U << 20;

// A SAX handler for nlohmann's readers. Every event returns whether to go on; after a false, Why() says what was wrong.
class JsonBuilder {
 public:
  // NOLINTBEGIN(readability-identifier-naming): the names are those of nlohmann's interface.
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;
  using number_float_t = Json::number_float_t;
  using string_t = Json::string_t;
  using binary_t = Json::binary_t;

  bool null() { return Put(nullptr); }
  bool boolean(bool value) { return Put(value); }
  bool number_integer(number_integer_t value) { return Put(value); }
  bool number_unsigned(number_unsigned_t value) { return Put(value); }
  bool number_float(number_float_t value, const string_t&) { return Put(value); }
  bool string(string_t& value) { return Put(std::move(value)); }
  bool binary(binary_t& value) { return Put(Json(std::move(value))); }
  bool start_object(std::size_t) { return Open(Json::object()); }
  bool start_array(std::size_t) { return Open(Json::array()); }
  bool end_object() { return Close(); }
  bool end_array() { return Close(); }
  bool key(string_t& name);
  bool parse_error(std::size_t position, const std::string& token, const nlohmann::detail::exception& error);
  // NOLINTEND(readability-identifier-naming)

  // Any scalar, for readers that know its type already.
  bool Value(Json value) { return Put(std::move(value)); }

  Json Take() { return std::move(root_); }
  const std::string& Why() const noexcept { return why_; }
  // Where the parser says that the text is wrong, in bytes from 1; none when this builder refused a value.
  std::optional<std::size_t> Position() const noexcept { return position_; }

 private:
  bool Put(Json value);
  bool Open(Json container);
  bool Close();
  Json* Place(Json value);

  Json root_;
  std::vector<Json*> open_;
  Json* slot_ = nullptr;  // the member that the next value fills, inside an object
  std::string why_;
  std::optional<std::size_t> position_;
};

// `text` cut to `limit` bytes, with what is not printable replaced, for a message.
std::string ForMessage(std::string_view text, std::size_t limit = 60);

}  // namespace ote::codec
