// What a trainer leaves: update.safetensors and metrics.json. Written by a program that is not trusted to be right: a
// file may be missing, of any size, a link or a pipe, and hold anything.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/codec.h"
#include "core/base/result.h"
#include "core/learn/layout.h"

namespace ote::site {

// metrics.json: {"loss": number, "steps": number, "metrics": {name: number}}; the loss is required, and keys that are
// not known are passed over.
struct TrainerMetrics {
  double loss = 0;
  std::optional<double> steps;            // as FedNova counts them; see learn::Trained
  std::map<std::string, double> metrics;  // to be shown in the site's log

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("loss", self.loss, kRequired);
    v("steps", self.steps);
    v("metrics", self.metrics);
  }
};

// Finite numbers, at most 64 of them under "metrics", steps above zero. kTrainerOutput.
Result<TrainerMetrics> ParseTrainerMetrics(std::string_view text);

// Fills `parameters` from a safetensors file that has the tensors of `layout`, in any order. kTrainerOutput for one
// that is missing, unknown, of another shape, or has a value that is not finite; `parameters` are undefined then.
Result<void> TakeWeights(ByteView file, const learn::Layout& layout, std::span<float> parameters);

// A regular file that lies in `folder` itself, of at most `limit` bytes. Never waits, never follows a link.
// kTrainerOutput.
Result<Bytes> ReadLeft(const std::filesystem::path& folder, const std::string& name, std::uint64_t limit);

inline constexpr std::uint64_t kMostMetrics = 64 << 10;
// What update.safetensors may weigh.
std::uint64_t MostWeights(const learn::Layout& layout) noexcept;

}  // namespace ote::site
