// What comes in pieces, cut where it belongs: JSON objects of a watch, lines of a log. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace ote::kube {

// Objects one after the other, wherever the reads end. Holds at most one object, of at most `limit` bytes.
class ObjectSplitter {
 public:
  explicit ObjectSplitter(std::size_t limit = 16U << 20) : limit_(limit) {}
  // Gives each whole object to `take`, until that returns false. False then, and for what cannot be a stream of
  // objects.
  bool Feed(std::string_view bytes, const std::function<bool(std::string_view)>& take);

 private:
  std::size_t limit_;
  std::string held_;
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

// Lines without their end. One longer than `limit` comes in parts.
class LineSplitter {
 public:
  explicit LineSplitter(std::size_t limit = 64U << 10) : limit_(limit) {}
  bool Feed(std::string_view bytes, const std::function<bool(std::string_view)>& take);
  // What was left without an end of line.
  void End(const std::function<bool(std::string_view)>& take);

 private:
  std::size_t limit_;
  std::string held_;
};

}  // namespace ote::kube
