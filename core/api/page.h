// Lists of clusters that may be too long for one message, asked for in pages.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/api/tree.h"

namespace ote::api {

// The items whose names come after `after`, in the order of names. Who comes or goes meanwhile may be in or not; all
// others are there once.
struct PageQuery {
  std::string after;       // `next` of the page before; "" for the first
  std::int64_t limit = 0;  // at most so many in a page; 0: all in one answer, as those ask who know no pages

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("after", self.after);
    v("limit", self.limit);
  }
};

inline constexpr std::int64_t kMostInPage = 1'000;
inline constexpr std::size_t kPageBytes = 512 << 10;

// What goes into one page: at most so many items, and no more bytes than fit into a message with what else is in it.
// The first item goes in whatever its size, or there would be no end.
class PageRoom {
 public:
  explicit PageRoom(std::int64_t limit, std::size_t bytes = kPageBytes)
      : items_(std::clamp<std::int64_t>(limit, 1, kMostInPage)), bytes_(bytes) {}
  // Whether one more of `bytes` goes in; it has its place then.
  bool Take(std::size_t bytes) {
    if (taken_ > 0 && (taken_ == items_ || bytes > bytes_)) return false;
    ++taken_;
    bytes_ -= std::min(bytes_, bytes);
    return true;
  }

 private:
  std::int64_t items_;
  std::size_t bytes_;
  std::int64_t taken_ = 0;
};

// ClusterList, or a page of it.
struct ClusterPage {
  std::vector<Cluster> items;
  std::optional<std::string> next;  // to ask with for more; absent when there is none

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("items", self.items, kRequired);
    v("next", self.next);
  }
};

// TreeView, or a page of it: the items by name then, and their depths left out (tree::Outline makes the tree of them).
struct TreePage {
  std::vector<std::string> path;
  bool rooted = true;
  std::vector<TreeNode> items;
  std::optional<std::string> next;
  std::vector<std::string> context;  // items that are shown by their names alone, since others hang on them

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("path", self.path);
    v("rooted", self.rooted);
    v("items", self.items);
    v("next", self.next);
    v("context", self.context);
  }
};

}  // namespace ote::api
