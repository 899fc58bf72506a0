#include "agent/shim/kubernetes/stream.h"

#include <algorithm>

namespace ote::kube {

bool ObjectSplitter::Feed(std::string_view bytes, const std::function<bool(std::string_view)>& take) {
  std::size_t start = 0;  // of what belongs to the object that is open
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
      continue;
    }
    if (depth_ == 0) {
      if (c == '\n' || c == '\r' || c == ' ' || c == '\t') continue;
      if (c != '{') return false;
      start = i;
      depth_ = 1;
      continue;
    }
    if (c == '"') in_string_ = true;
    if (c == '{' || c == '[') ++depth_;
    if (c == '}' || c == ']') --depth_;
    if (depth_ > 0) continue;
    const std::string_view part = bytes.substr(start, i + 1 - start);
    bool go_on = false;
    if (held_.empty()) {
      go_on = take(part);
    } else {
      held_ += part;
      if (held_.size() > limit_) return false;
      const std::string whole = std::move(held_);
      held_.clear();
      go_on = take(whole);
    }
    if (!go_on) return false;
  }
  if (depth_ > 0) held_ += bytes.substr(start);
  return held_.size() <= limit_;
}

bool LineSplitter::Feed(std::string_view bytes, const std::function<bool(std::string_view)>& take) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::size_t room = limit_ - held_.size();
    const std::size_t size = std::min(std::min(end, bytes.size()), room);
    const bool whole = end != bytes.npos && size == end;
    held_ += bytes.substr(0, size);
    bytes.remove_prefix(size + (whole ? 1 : 0));
    if (!whole && held_.size() < limit_) return true;
    const std::string line = std::move(held_);
    held_.clear();
    if (!take(std::string_view(line).substr(0, line.size() - (line.ends_with('\r') ? 1 : 0)))) return false;
  }
  return true;
}

void LineSplitter::End(const std::function<bool(std::string_view)>& take) {
  if (!held_.empty()) take(held_);
  held_.clear();
}

}  // namespace ote::kube
