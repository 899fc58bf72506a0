// A compressed update where it is added up. It comes from outside: nothing in it is believed.
#pragma once

#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/federate/accumulator.h"
#include "core/federate/compress/update_form.h"
#include "core/federate/strategy.h"

namespace ote::federate {

class UpdateReader {
 public:
  // Looks at all of it: kUpdateShape when it is not of the form, kUpdateNotFinite, kUpdateOutOfRange for values that no
  // sum takes. `bytes` must outlive the reader.
  static Result<UpdateReader> Open(ByteView bytes, const UpdateForm& form);

  // Piece by piece, in order; what is not in one is zero. As Accumulator::FoldPieces wants it.
  void ForEach(const PieceTaker& take) const;
  // All values side by side.
  std::vector<float> Values() const;

 private:
  UpdateReader(ByteView bytes, const UpdateForm& form) : bytes_(bytes), form_(form) {}
  ByteView Vector(std::size_t index) const;

  ByteView bytes_;
  UpdateForm form_;
};

// Reads ranges of quantized updates of one vector, which were looked at before, as if they were float32. A range that
// `read` does not give whole blocks of is read with what stands around it.
RangeReader ReadQuantized(RangeReader read, const UpdateForm& form);

}  // namespace ote::federate
