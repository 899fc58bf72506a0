// Which clusters are meant: by name and labels, as people write it.
//
//   selector  = term *( "," term )          all terms must hold
//   term      = key "=" value | key "!=" value | key "in" list | key "notin" list | key "exists" | key "absent"
//   list      = "(" value *( "," value ) ")"
//   value     = [ "glob:" ] text            glob: '*' is any text, '?' is one character; the whole value must match
//
// The key `name` is the cluster's name, every other one a label. As in Kubernetes, != and notin hold for clusters that
// do not have the label. Names and values are compared as they are: no part of a value ever matches by itself.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/api/cluster.h"
#include "core/base/result.h"

namespace ote::tree {

class Selector {
 public:
  // Names nobody.
  Selector() = default;
  // kSelectorEmpty for text with no term; kSelectorInvalid, saying where and why. At most 4 KiB, 64 terms.
  static Result<Selector> Parse(std::string_view text);
  static Selector All();
  // Those whose labels hold all of these; everybody when there are none.
  static Selector Of(const api::Labels& labels);

  bool Matches(std::string_view name, const api::Labels& labels) const;
  bool MatchesAll() const noexcept { return all_; }
  // In its one spelling, which Parse takes ("*" for All).
  std::string Text() const;

  friend bool operator==(const Selector&, const Selector&) = default;

 private:
  enum class Op { kIn, kNotIn, kExists, kAbsent };
  struct Term {
    std::string key;
    Op op = Op::kIn;
    std::vector<std::string> values;  // with "glob:" in front where it was written
    friend bool operator==(const Term&, const Term&) = default;
  };
  class Reader;

  bool all_ = false;
  std::vector<Term> terms_;
};

// Whether all of `text` is as `pattern` says: '*' is any text, '?' is one byte. Time in O(|text| * |pattern|).
bool GlobMatches(std::string_view pattern, std::string_view text) noexcept;

}  // namespace ote::tree
