#include "core/base/json_builder.h"

#include <fmt/format.h>

namespace ote::codec {

std::string ForMessage(std::string_view text, std::size_t limit) {
  const bool cut = text.size() > limit;
  if (cut) {
    text = text.substr(0, limit);
    while (!text.empty() && (static_cast<std::uint8_t>(text.back()) & 0xc0) == 0x80) text.remove_suffix(1);
    if (!text.empty() && static_cast<std::uint8_t>(text.back()) >= 0xc0) text.remove_suffix(1);
  }
  const bool utf8 = IsUtf8(text);
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    shown.push_back(byte < 0x20 || byte == 0x7f || (!utf8 && byte >= 0x80) ? '?' : c);
  }
  return cut ? shown + "…" : shown;
}

bool JsonBuilder::key(string_t& name) {
  Json& object = *open_.back();
  const auto [it, added] = object.emplace(name, nullptr);
  if (!added) {
    why_ = fmt::format("the key \"{}\" stands twice in one object", ForMessage(name));
    return false;
  }
  slot_ = &*it;
  return true;
}

bool JsonBuilder::parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) {
  // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error …": the place is told by the
  // caller.
  std::string_view words = error.what();
  if (const auto end = words.find("] "); words.starts_with('[') && end != words.npos) words.remove_prefix(end + 2);
  if (words.starts_with("parse error at ")) {
    if (const auto end = words.find(": "); end != words.npos) words.remove_prefix(end + 2);
  }
  why_ = ForMessage(words, 160);
  position_ = position;
  return false;
}

Json* JsonBuilder::Place(Json value) {
  if (open_.empty()) {
    root_ = std::move(value);
    return &root_;
  }
  if (open_.back()->is_array()) {
    open_.back()->push_back(std::move(value));
    return &open_.back()->back();
  }
  *slot_ = std::move(value);
  return slot_;
}

bool JsonBuilder::Put(Json value) {
  Place(std::move(value));
  return true;
}

bool JsonBuilder::Open(Json container) {
  if (open_.size() == kMaxDepth) {
    why_ = fmt::format("it is nested more than {} levels deep", kMaxDepth);
    return false;
  }
  // A container's address stays valid while it is open: only the innermost one grows.
  open_.push_back(Place(std::move(container)));
  return true;
}

bool JsonBuilder::Close() {
  open_.pop_back();
  return true;
}

}  // namespace ote::codec
