// What is done to rows before a model sees them, as ONNX: x becomes (x - shift) * scale, what is missing is filled, and
// all of it is multiplied by the model's inputScale.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/learn/onnx/graph.h"

namespace ote::learn::onnx {
namespace {

// Of a prepared value, which is near 1: what no model notices.
constexpr double kSlight = 1e-6;

bool AnyIsNot(const std::vector<float>& values, float neutral) {
  return std::any_of(values.begin(), values.end(), [neutral](float value) { return value != neutral; });
}

std::string Prepare(Graph& graph, const api::Preparation& preparation, std::string at) {
  std::vector<float> fill;
  std::vector<float> shift;
  std::vector<float> rest;
  std::vector<float> scale;
  bool fills = false;
  bool rounded = false;
  for (const api::ColumnPreparation& column : preparation.columns) {
    fill.push_back(column.fill ? static_cast<float>((*column.fill - column.shift) * column.scale)
                               : std::numeric_limits<float>::quiet_NaN());
    shift.push_back(static_cast<float>(column.shift));
    // Far from 0 float32 is too coarse for the shift; it is taken in two steps.
    rest.push_back(static_cast<float>(column.shift - static_cast<double>(shift.back())));
    scale.push_back(static_cast<float>(column.scale));
    fills = fills || column.fill;
    rounded = rounded || std::abs(static_cast<double>(rest.back()) * column.scale) > kSlight;
  }
  const auto constant = [&graph](std::string name, const std::vector<float>& values) {
    return graph.Constant(std::move(name), {static_cast<std::int64_t>(values.size())}, std::span<const float>(values));
  };
  const std::string missing = fills ? graph.Add("IsNaN", {at}) : std::string();
  if (AnyIsNot(shift, 0)) at = graph.Add("Sub", {at, constant("preparation.shift", shift)});
  if (rounded) at = graph.Add("Sub", {at, constant("preparation.shiftRest", rest)});
  if (AnyIsNot(scale, 1)) at = graph.Add("Mul", {at, constant("preparation.scale", scale)});
  // Last, so that what stands in for a missing value is rounded once.
  if (fills) at = graph.Add("Where", {missing, constant("preparation.fill", fill), at});
  return at;
}

}  // namespace

std::string WriteInput(Graph& graph, const Source& source, const std::string& input) {
  const std::string at = Prepare(graph, source.preparation, input);
  const auto scale = static_cast<float>(source.spec.input_scale);
  return scale == 1.0F ? at : graph.Add("Mul", {at, graph.Constant("inputScale", {}, std::span(&scale, 1))});
}

}  // namespace ote::learn::onnx
