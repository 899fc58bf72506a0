// Class labels as they stand in a file, and their numbers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/learn/data.h"

namespace ote::learn {

// A label column with more different values than this is not a column of classes.
inline constexpr std::size_t kMaxClasses = 10'000;

// Whether `a` stands before `b`: by value when both are whole numbers (see SortClasses), by bytes otherwise.
void SortClasses(std::vector<std::string>& names);

// Numbers labels in the order in which they come; Finish brings them into the sorted order.
class ClassNumbers {
 public:
  // The provisional number of the label; nothing when it would be one class too many.
  std::optional<float> Number(std::string_view label);
  // Fills table.class_names and renumbers table.targets.
  void Finish(Table& table);

 private:
  std::map<std::string, std::uint32_t, std::less<>> numbers_;
  std::string last_;  // rows of a class often stand together
  float last_number_ = -1;
};

}  // namespace ote::learn
