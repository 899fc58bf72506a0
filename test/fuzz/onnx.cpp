// fuzz-link: ote_learn
// ONNX files: what is read as a graph is written and read again to the same bytes, and what is read as a model makes
// one.
#include "core/learn/onnx.h"

#include <cstdint>
#include <cstdlib>

#include "core/learn/onnx/graph.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ote;
  const ByteView bytes(data, size);
  const auto graph = learn::onnx::Decode(bytes);
  const auto model = learn::ReadOnnx(bytes);
  if (!graph) return model ? (std::abort(), 0) : 0;
  const Bytes written = learn::onnx::Encode(*graph);
  const auto again = learn::onnx::Decode(written);
  if (!again || learn::onnx::Encode(*again) != written) std::abort();
  if (!model) return 0;
  const auto made = learn::MakeModel(model->spec, model->shape, model->task);
  if (!made || learn::TotalCount((*made)->GetLayout()) != static_cast<std::int64_t>(model->values.size())) std::abort();
  return 0;
}
