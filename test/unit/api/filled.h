// Fills every field of a resource with a value that is not its default, by the resource's own list of fields: a field
// that is added later is tested without a word.
#pragma once

#include <string>

#include "core/api/run_spec.h"
#include "core/base/codec.h"

namespace ote::api {

class Filler {
 public:
  template <class T>
  void Fill(T& value) {
    ++count_;
    if constexpr (std::is_same_v<T, bool>) {
      value = !value;
    } else if constexpr (std::is_same_v<T, std::string>) {
      value = "text " + std::to_string(count_);
    } else if constexpr (std::is_same_v<T, Bytes>) {
      value = {static_cast<std::uint8_t>(count_), 0, 255};
    } else if constexpr (std::is_same_v<T, BigId>) {
      value.value = std::numeric_limits<std::uint64_t>::max() - static_cast<std::uint64_t>(count_);
    } else if constexpr (std::is_floating_point_v<T>) {
      value = static_cast<T>(count_) + static_cast<T>(0.1);
    } else if constexpr (std::is_arithmetic_v<T>) {
      value = std::numeric_limits<T>::max() - static_cast<T>(count_);
    } else if constexpr (std::is_enum_v<T>) {
      value = std::rbegin(EnumNames<T>::kNames)->first;
    } else if constexpr (std::is_same_v<T, SiteSelector>) {
      Fill(value.text);  // the labels are the other spelling
    } else if constexpr (codec::IsOptional<T>::value) {
      Fill(value.emplace());
    } else if constexpr (codec::IsVector<T>::value) {
      value.clear();
      for (int i = 0; i < 2; ++i) Fill(value.emplace_back());
    } else if constexpr (codec::IsMap<T>::value) {
      value.clear();
      for (int i = 0; i < 2; ++i) Fill(value["key " + std::to_string(i)]);
    } else {
      auto& self = *this;  // by reference: a struct without fields uses none of it
      T::Fields(value, [&](std::string_view, auto& field, Need = kOptional) { self.Fill(field); });
    }
  }

 private:
  int count_ = 0;
};

template <class T>
T Filled() {
  T value{};
  Filler().Fill(value);
  return value;
}

// The names of the fields that must be there.
template <class T>
std::vector<std::string> RequiredFields() {
  std::vector<std::string> names;
  T value{};
  T::Fields(value, [&names](std::string_view name, auto&, Need need = kOptional) {
    if (need == kRequired) names.emplace_back(name);
  });
  return names;
}

}  // namespace ote::api
