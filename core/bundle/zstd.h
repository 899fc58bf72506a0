// zstd (RFC 8878) as a stream, in bounded memory: a window of at most 8 MiB on either side.
#pragma once

#include <functional>
#include <memory>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace ote::bundle {

using Sink = std::function<Result<void>(ByteView)>;

// One frame. The same bytes for the same input, however it is cut into pieces.
class Compressor {
 public:
  explicit Compressor(Sink sink);
  ~Compressor();
  Result<void> Take(ByteView plain);
  Result<void> Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// kBundleAltered when it is no frame; kBundleLarger, before the sink is given more, when it holds more than `most`.
class Decompressor {
 public:
  Decompressor(Sink sink, std::uint64_t most);
  ~Decompressor();
  Result<void> Take(ByteView packed);
  // kBundleAltered when the frame has not ended.
  Result<void> Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ote::bundle
