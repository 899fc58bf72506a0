// Small tables and models that the tests of the learning room share.
#pragma once

#include <string>
#include <vector>

#include "core/learn/data.h"
#include "core/learn/model.h"
#include "core/learn/random.h"

namespace ote::learn {

inline std::vector<float> Noise(std::int64_t count, std::uint64_t seed, double width = 1) {
  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = static_cast<float>(width * random.Normal());
  return values;
}

// Points around one centre for each class; classes 0 makes a regression, a linear function and a little noise.
inline Table Clouds(std::int64_t rows, std::int64_t columns, std::int64_t classes, std::uint64_t seed) {
  Random random(seed);
  Table table;
  table.rows = rows;
  table.columns = columns;
  const std::vector<float> centres = Noise((classes + 1) * columns, seed + 1, 1.5);
  for (std::int64_t c = 0; c < classes; ++c) table.class_names.push_back(std::to_string(c));
  for (std::int64_t c = 0; c < columns; ++c) table.feature_names.push_back("x" + std::to_string(c));
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t kind = classes == 0 ? 0 : i % classes;
    double value = 0.5 + 0.01 * random.Normal();
    for (std::int64_t c = 0; c < columns; ++c) {
      const auto centre = static_cast<double>(centres[static_cast<std::size_t>(kind * columns + c)]);
      const double x = random.Normal() + (classes == 0 ? 0 : centre);
      table.features.push_back(static_cast<float>(x));
      value += x * centre;
    }
    table.targets.push_back(classes == 0 ? static_cast<float>(value) : static_cast<float>(kind));
  }
  return table;
}

}  // namespace ote::learn
