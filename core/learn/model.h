// The models: created from a spec, trained on a table, evaluated on one. Pure computation: no files, no clock.
//
// There are two kinds. Most models train by gradient steps at the sites, and a strategy makes the next model of the
// differences (Train). Others ask the sites for statistics, and make the next model of their mean themselves
// (Contribute and Advance): trees from histograms of gradients, centroids from sums of rows. Rows never leave a site.
//
// Deterministic: the same spec, parameters, rows and seed give the same bits on the same kernel (kernels.h).
//
// A new model is one file in core/learn/models/ that defines a ModelInfo, and a line in models.cpp that names it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "core/api/dataset.h"
#include "core/api/training.h"
#include "core/base/result.h"
#include "core/learn/data.h"
#include "core/learn/layout.h"

namespace ote::learn {

// What a model is for: its inputs and outputs.
struct Shape {
  std::int64_t features = 0;
  std::int64_t outputs = 0;  // classes, or 1 for regression and clustering
};

// What training looks at beside the TrainSpec. Spans must outlive the call.
struct TrainTerms {
  double proximal = 0;                // mu: mu * (w - given) is added to the gradient (Li et al. 2020, FedProx)
  std::span<const float> anchor;      // what `given` is; empty for the parameters as they came
  std::span<const float> correction;  // added to the gradient in every step (Karimireddy et al. 2020, SCAFFOLD)
  std::vector<double> class_weights;  // each row's loss is multiplied by its class's; empty: all 1
  std::vector<std::pair<std::int64_t, std::int64_t>> frozen;  // [begin, end) of the flat buffer that stay as they are
};

struct Trained {
  double loss = 0;  // the mean of the last pass
  // What the steps add up to, in learning rates: with momentum rho, each of n steps counts (1 - rho^k)/(1 - rho) for
  // the k steps that are left (Wang et al. 2020, FedNova: the norm of a). The number of steps for adam.
  double steps = 0;
};

class Model {
 public:
  virtual ~Model() = default;
  virtual const Layout& GetLayout() const noexcept = 0;
  // Fresh parameters from `seed`: He (2015) for ReLU, Glorot (2010) for tanh and linear layers, zero biases.
  virtual std::vector<float> Init(std::uint64_t seed) const = 0;

  // Trains `parameters` in place for spec.epochs passes over `rows`, shuffled anew each pass from `seed`. kInterrupted
  // when stopped; kTrainingFailed when the loss is not finite; kUnsupported for a model of statistics.
  virtual Result<Trained> Train(std::span<float> parameters, const Table& rows, const api::TrainSpec& spec,
                                const TrainTerms& terms, std::uint64_t seed, std::stop_token stop) const;

  // Whether sites send statistics. The rest of this group is for those models only.
  virtual bool Statistical() const noexcept { return false; }
  // Values in a contribution, as `parameters` stand now.
  virtual std::int64_t ContributionCount(std::span<const float> parameters) const;
  // Fills `out` with means over `rows`, so that the row-weighted mean over the sites is that of all rows together.
  // kInterrupted when stopped.
  virtual Result<void> Contribute(std::span<const float> parameters, const Table& rows, std::span<float> out,
                                  std::uint64_t seed, std::stop_token stop) const;
  // The next parameters, in place, from the mean over all sites, which stand for `rows` rows.
  virtual Result<void> Advance(std::span<float> parameters, std::span<const double> mean, std::int64_t rows) const;
  // Whether `parameters` are a model that can be measured, and not one in the middle of being made.
  virtual bool Complete(std::span<const float> parameters) const;

  // How many rounds a run of this model takes when `asked` were asked for.
  virtual std::int64_t Rounds(std::int64_t asked) const noexcept { return asked; }

  virtual Result<api::Metrics> Evaluate(std::span<const float> parameters, const Table& rows) const = 0;
  // rows × outputs, row-major: probabilities of the classes, values, or the number of the nearest centroid.
  virtual Result<std::vector<float>> Predict(std::span<const float> parameters, const Table& rows) const = 0;
};

// kRunInvalid when kind and shape do not go together (softmax with one class, linear with classes).
Result<std::unique_ptr<Model>> MakeModel(const api::ModelSpec& spec, const Shape& shape, api::DataTask task);

// Which kernels are in use: "x86-64-v2", "x86-64-v3", "x86-64-v4", or "generic". Chosen once, at first use, by the CPU;
// OTE_KERNEL=x86-64-v2 asks for a lesser one.
std::string_view KernelName() noexcept;

}  // namespace ote::learn
