#include "core/learn/classes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>

namespace ote::learn {
namespace {

// The value of a whole number in text; nothing for other text or one that does not fit.
std::optional<std::int64_t> Whole(std::string_view text) {
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
    if (!text.empty() && text.front() == '-') return std::nullopt;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

void SortClasses(std::vector<std::string>& names) {
  const bool whole = std::all_of(names.begin(), names.end(), [](const auto& name) { return Whole(name).has_value(); });
  std::sort(names.begin(), names.end(), [whole](const std::string& a, const std::string& b) {
    if (whole && *Whole(a) != *Whole(b)) return *Whole(a) < *Whole(b);
    return a < b;
  });
}

std::optional<float> ClassNumbers::Number(std::string_view label) {
  if (last_number_ >= 0 && label == last_) return last_number_;
  auto found = numbers_.find(label);
  if (found == numbers_.end()) {
    if (numbers_.size() >= kMaxClasses) return std::nullopt;
    found = numbers_.emplace(std::string(label), static_cast<std::uint32_t>(numbers_.size())).first;
  }
  last_ = label;
  last_number_ = static_cast<float>(found->second);
  return last_number_;
}

void ClassNumbers::Finish(Table& table) {
  table.class_names.clear();
  for (const auto& [name, number] : numbers_) table.class_names.push_back(name);
  SortClasses(table.class_names);
  std::vector<float> places(numbers_.size());
  for (std::size_t i = 0; i < table.class_names.size(); ++i) {
    places[numbers_.find(table.class_names[i])->second] = static_cast<float>(i);
  }
  for (float& target : table.targets) target = places[static_cast<std::size_t>(target)];
}

Result<void> UseClasses(Table& table, const std::vector<std::string>& classes) {
  std::vector<float> places;
  places.reserve(table.class_names.size());
  for (const std::string& name : table.class_names) {
    const auto found = std::find(classes.begin(), classes.end(), name);
    if (found == classes.end()) {
      return Fail(ErrorId::kModelDataMismatch, fmt::format("class \"{}\": the data has it, the model does not", name));
    }
    places.push_back(static_cast<float>(found - classes.begin()));
  }
  for (float& target : table.targets) target = places[static_cast<std::size_t>(target)];
  table.class_names = classes;
  return {};
}

std::int64_t KeepClasses(Table& table, const std::vector<std::string>& classes) {
  std::vector<std::int64_t> kept;
  for (std::int64_t row = 0; row < table.rows; ++row) {
    const auto target = static_cast<std::size_t>(table.targets[static_cast<std::size_t>(row)]);
    if (std::find(classes.begin(), classes.end(), table.class_names[target]) != classes.end()) kept.push_back(row);
  }
  const std::int64_t gone = table.rows - static_cast<std::int64_t>(kept.size());
  if (gone > 0) table = Take(table, kept);
  for (float& target : table.targets) {
    const auto found = std::find(classes.begin(), classes.end(), table.class_names[static_cast<std::size_t>(target)]);
    target = static_cast<float>(found - classes.begin());
  }
  table.class_names = classes;
  return gone;
}

}  // namespace ote::learn
