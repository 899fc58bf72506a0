// A site's side of a compressed update.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/bytes.h"
#include "core/federate/compress/update_form.h"
#include "core/learn/random.h"

namespace ote::federate {

// Puts the vectors of an update together. The same seed and vectors give the same bytes.
class UpdateWriter {
 public:
  // `form` is a compressed one.
  UpdateWriter(const UpdateForm& form, std::uint64_t seed);

  // Compresses the next vector, finite and within ±kBound, and turns it into what the root will read of it.
  void Add(std::span<float> vector);
  // Once all vectors are there.
  Bytes Take() &&;

 private:
  UpdateForm form_;
  learn::Random random_;
  Bytes out_;
  std::size_t at_ = kUpdateHeader;
};

// Error feedback (Karimireddy, Rebjock, Stich and Jaggi 2019): gives the writer `vector` and `residual` added up, and
// keeps in `residual` what it left out of that. `residual` are raw float32, as many as the vector has; any other number
// of bytes counts as zeros.
void AddWithFeedback(UpdateWriter& writer, std::vector<float>& vector, Bytes& residual);

}  // namespace ote::federate
