#include "core/learn/categories.h"

#include <cmath>
#include <vector>

#include "core/base/bytes.h"
#include "core/learn/statistics.h"

namespace ote::learn {

const char* CategoryNumbers::Number(std::string_view category, float& number) {
  auto found = numbers_.find(category);
  if (found == numbers_.end()) {
    if (category.size() > kMaxCategoryBytes) return "a category of more than 256 bytes";
    // They stand in run records and model files, which are UTF-8.
    if (!IsUtf8(category)) return "a category that is not UTF-8";
    if (numbers_.size() >= kMaxCategories) return "one category more than the 1000 that a column may have";
    found = numbers_.emplace(std::string(category), static_cast<std::uint32_t>(numbers_.size())).first;
  }
  number = static_cast<float>(found->second);
  return nullptr;
}

void CategoryNumbers::Finish(Table& table, std::int64_t column) const {
  auto& names = table.categories[column];
  std::vector<float> places(numbers_.size());
  for (const auto& [name, number] : numbers_) {
    places[number] = static_cast<float>(names.size());
    names.push_back(name);
  }
  for (std::int64_t row = 0; row < table.rows; ++row) {
    float& value = table.features[static_cast<std::size_t>(row * table.columns + column)];
    if (!std::isnan(value)) value = places[static_cast<std::size_t>(value)];
  }
}

}  // namespace ote::learn
