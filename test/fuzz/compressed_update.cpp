// fuzz-link: ote_federate
//
// The first bytes choose the form that the root asked for, the rest is what came. What is taken must be added up as its
// values are, all of them finite and within the bound, and must be the one way to write them.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "core/federate/compress/sparse.h"
#include "core/federate/compress/update_reader.h"

namespace {

using namespace ote::federate;

// Top-k by any threshold would find the same places again, were they the largest; so only the form is checked here.
void CheckValues(const std::vector<float>& values, const UpdateForm& form) {
  for (const float value : values) {
    if (!std::isfinite(value) || std::fabs(value) > static_cast<float>(kBound)) std::abort();
  }
  if (form.compression.kind != ote::api::CompressionKind::kTopK) return;
  const auto sent = std::count_if(values.begin(), values.end(), [](float value) { return value != 0; });
  const auto most = form.vectors * KeptOf(form.Length(), form.compression.fraction);
  if (static_cast<std::size_t>(sent) > most) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  UpdateForm form;
  form.compression.kind = (data[0] & 1U) != 0 ? ote::api::CompressionKind::kTopK : ote::api::CompressionKind::kQuantize;
  form.compression.bits = (data[0] & 2U) != 0 ? 4 : 8;
  form.compression.fraction = (1 + (data[0] >> 2U)) / 128.0;
  form.vectors = 1 + data[1] % 2;
  form.values = form.vectors * (1 + data[2] + 256 * static_cast<std::size_t>(data[3]));
  const ote::ByteView input(data + 4, size - 4);
  const auto reader = UpdateReader::Open(input, form);
  if (!reader) return 0;
  if (input.size() != SizeOf(form)) std::abort();
  const std::vector<float> values = reader->Values();
  CheckValues(values, form);
  const auto grid = ChooseGrid(3);
  Accumulator pieces(form.values, *grid);
  Accumulator whole(form.values, *grid);
  if (!pieces.FoldPieces([&](const PieceTaker& take) { reader->ForEach(take); }, 3)) std::abort();
  if (!whole.Fold(values, 3)) std::abort();
  if (pieces.Save() != whole.Save()) std::abort();
  if (form.compression.kind != ote::api::CompressionKind::kQuantize || form.vectors != 1) return 0;
  const auto read = ReadQuantized(
      [input](const std::string&, std::int64_t offset, std::span<std::uint8_t> out) -> ote::Result<void> {
        if (static_cast<std::size_t>(offset) + out.size() > input.size()) std::abort();
        std::memcpy(out.data(), input.data() + offset, out.size());
        return {};
      },
      form);
  std::vector<float> ranged(form.values);
  const std::size_t half = form.values / 2 * sizeof(float);
  const std::span<std::uint8_t> bytes(reinterpret_cast<std::uint8_t*>(ranged.data()), ranged.size() * sizeof(float));
  if (!read("", 0, bytes.first(half))) std::abort();
  if (!read("", static_cast<std::int64_t>(half), bytes.subspan(half))) std::abort();
  if (std::memcmp(ranged.data(), values.data(), bytes.size()) != 0) std::abort();
  return 0;
}
