// The categories of a column as they stand in a file, and their numbers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/learn/data.h"

namespace ote::learn {

// Numbers categories in the order in which they come; Finish brings them into the sorted order.
class CategoryNumbers {
 public:
  // nullptr, with the provisional number of the category in `number`, or why it cannot be one.
  const char* Number(std::string_view category, float& number);
  // Fills table.categories of `column` and renumbers the features there.
  void Finish(Table& table, std::int64_t column) const;

 private:
  std::map<std::string, std::uint32_t, std::less<>> numbers_;
};

}  // namespace ote::learn
