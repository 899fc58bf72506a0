// Training by mini-batches, and measuring and predicting batch by batch: what all models of gradient steps share. A
// model of this kind says what its network gives and which way is down; the rest is here.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/learn/kernels.h"
#include "core/learn/model.h"
#include "core/learn/optimizer.h"

namespace ote::learn {

enum class Loss { kCrossEntropy, kSquare };
enum class Purpose { kForward, kTraining };

// A network at work, with its buffers for batches of up to some number of rows; none of these allocates. One thread.
class Pass {
 public:
  virtual ~Pass() = default;
  // Copies (and scales) the rows index[0..) of the table, and their targets, in. What is random in a batch, in training
  // alone, comes from `noise`.
  virtual void Load(const Table& table, std::span<const std::uint32_t> index, std::uint64_t noise) = 0;
  // Logits or values [rows×outputs] of what was loaded.
  virtual std::span<float> Forward(const float* parameters) = 0;
  // After Forward: turns its result into the loss's slope, each row's multiplied by the weight of its class (none: 1).
  // Returns the sum of the losses of the rows, without weights.
  virtual double Slope(std::span<const double> class_weights) = 0;
  // After Slope: adds the gradient of the mean loss to `gradient`, laid out as the parameters.
  virtual void Backward(const float* parameters, float* gradient) = 0;
};

// What the loops must know of a network.
struct Outline {
  Layout layout;
  std::vector<Range> decayed;  // the weights that L2 makes small
  std::int64_t inputs = 0;
  std::int64_t outputs = 0;
  Loss loss = Loss::kCrossEntropy;
  std::int64_t evaluation_batch = 256;  // rows that are measured or predicted at a time
};

class GradientModel : public Model {
 public:
  const Layout& GetLayout() const noexcept override { return outline_.layout; }
  Result<Trained> Train(std::span<float> parameters, const Table& rows, const api::TrainSpec& spec,
                        const TrainTerms& terms, std::uint64_t seed, std::stop_token stop) const override;
  Result<api::Metrics> Evaluate(std::span<const float> parameters, const Table& rows) const override;
  Result<std::vector<float>> Predict(std::span<const float> parameters, const Table& rows) const override;

 protected:
  explicit GradientModel(Outline outline) : outline_(std::move(outline)) {}
  // For batches of up to `rows` rows. The model and `kernels` outlive it.
  virtual Result<std::unique_ptr<Pass>> MakePass(const Kernels& kernels, std::int64_t rows, Purpose purpose) const = 0;

 private:
  enum class Targets { kNeeded, kUnused };
  Result<void> Check(std::size_t parameters, const Table& rows, Targets targets) const;

  Outline outline_;
};

}  // namespace ote::learn
