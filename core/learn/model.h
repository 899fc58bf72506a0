// The models: created from a spec, trained on a table, evaluated on one. Pure computation: no files, no clock.
//
// Deterministic: the same spec, parameters, rows and seed give the same bits on the same kernel (kernels.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "core/api/training.h"
#include "core/base/result.h"
#include "core/learn/data.h"
#include "core/learn/layout.h"

namespace ote::learn {

// What a model is for: its inputs and outputs.
struct Shape {
  std::int64_t features = 0;
  std::int64_t outputs = 0;  // classes, or 1 for regression
};

class Model {
 public:
  virtual ~Model() = default;
  virtual const Layout& GetLayout() const noexcept = 0;
  // Fresh parameters from `seed`: He (2015) for ReLU, Glorot (2010) for tanh and linear layers, zero biases.
  virtual std::vector<float> Init(std::uint64_t seed) const = 0;
  // Trains `parameters` in place for spec.epochs passes over `rows`, shuffled anew each pass from `seed`. Returns the
  // mean loss of the last pass. kInterrupted when stopped; kTrainingFailed when the loss is not finite.
  virtual Result<double> Train(std::span<float> parameters, const Table& rows, const api::TrainSpec& spec,
                               std::uint64_t seed, std::stop_token stop) const = 0;
  virtual Result<api::Metrics> Evaluate(std::span<const float> parameters, const Table& rows) const = 0;
  // rows × outputs, row-major: probabilities of the classes, or values.
  virtual Result<std::vector<float>> Predict(std::span<const float> parameters, const Table& rows) const = 0;
};

// kRunInvalid when kind and shape do not go together (softmax with one class, linear with classes).
Result<std::unique_ptr<Model>> MakeModel(const api::ModelSpec& spec, const Shape& shape, api::DataTask task);

// Which kernels are in use: "x86-64-v2", "x86-64-v3", "x86-64-v4", or "generic". Chosen once, at first use, by the CPU;
// OTE_KERNEL=x86-64-v2 asks for a lesser one.
std::string_view KernelName() noexcept;

}  // namespace ote::learn
