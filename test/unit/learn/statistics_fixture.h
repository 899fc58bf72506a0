// The root's part of a run of a statistical model, for tests of the models alone.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <vector>

#include "core/learn/data.h"
#include "core/learn/model.h"

namespace ote::learn {

inline std::unique_ptr<Model> MakeFor(const api::ModelSpec& spec, const Table& table, api::DataTask task) {
  const bool classes = task == api::DataTask::kClassification;
  auto model =
      MakeModel(spec, {table.columns, classes ? static_cast<std::int64_t>(table.class_names.size()) : 1}, task);
  if (!model) FAIL(model.error().message);
  return std::move(*model);
}

// One exchange: what each site contributes, weighed by its rows, and what the root makes of it.
inline Result<void> Exchange(const Model& model, std::vector<float>& parameters, const std::vector<Table>& sites) {
  const auto count = static_cast<std::size_t>(model.ContributionCount(parameters));
  std::vector<double> mean(count);
  std::int64_t rows = 0;
  for (const Table& site : sites) rows += site.rows;
  for (const Table& site : sites) {
    std::vector<float> out(count);
    OTE_CHECK(model.Contribute(parameters, site, out, 1, {}));
    for (std::size_t i = 0; i < count; ++i) {
      mean[i] += static_cast<double>(out[i]) * static_cast<double>(site.rows) / static_cast<double>(rows);
    }
  }
  return model.Advance(parameters, mean, rows);
}

// All rounds of a run for which `asked` were asked for.
inline std::vector<float> MakeOf(const Model& model, const std::vector<Table>& sites, std::int64_t asked = 1) {
  std::vector<float> parameters = model.Init(1);
  for (std::int64_t round = 0; round < model.Rounds(asked); ++round) {
    const auto done = Exchange(model, parameters, sites);
    if (!done) FAIL("round " << round << ": " << done.error().message);
  }
  REQUIRE(model.Complete(parameters));
  return parameters;
}

// The rows of `table` dealt to `count` sites in turn.
inline std::vector<Table> Deal(const Table& table, std::int64_t count) {
  std::vector<Table> sites;
  for (std::int64_t s = 0; s < count; ++s) {
    std::vector<std::int64_t> rows;
    for (std::int64_t r = s; r < table.rows; r += count) rows.push_back(r);
    sites.push_back(Take(table, rows));
  }
  return sites;
}

}  // namespace ote::learn
