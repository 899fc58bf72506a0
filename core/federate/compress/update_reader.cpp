#include "core/federate/compress/update_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "core/federate/compress/quantize.h"
#include "core/federate/compress/sparse.h"

namespace ote::federate {
namespace {

// Values of a piece: whole blocks of quantized ones, and what the first cache holds of all others.
constexpr std::size_t kPiece = 4096;
static_assert(kPiece % kQuantizedBlock == 0);

bool Quantizes(const UpdateForm& form) noexcept { return form.compression.kind == api::CompressionKind::kQuantize; }

}  // namespace

ByteView UpdateReader::Vector(std::size_t index) const {
  const std::size_t size = (bytes_.size() - kUpdateHeader) / form_.vectors;
  return bytes_.subspan(kUpdateHeader + index * size, size);
}

Result<UpdateReader> UpdateReader::Open(ByteView bytes, const UpdateForm& form) {
  assert(form.Compressed() && form.vectors > 0 && form.values % form.vectors == 0);
  if (bytes.size() != SizeOf(form)) {
    return Fail(ErrorId::kUpdateShape,
                fmt::format("the update has {} bytes, and the model needs {}", bytes.size(), SizeOf(form)));
  }
  if (!HasHeader(bytes, form)) {
    return Fail(ErrorId::kUpdateShape, "the update does not say that it is compressed as the run asks for");
  }
  UpdateReader reader(bytes, form);
  for (std::size_t v = 0; v < form.vectors; ++v) {
    if (Quantizes(form)) {
      OTE_CHECK(CheckQuantized(reader.Vector(v), form.Length(), form.compression.bits));
      continue;
    }
    const std::size_t kept = KeptOf(form.Length(), form.compression.fraction);
    OTE_TRY(auto entries, SparseReader::Open(reader.Vector(v), form.Length(), kept));
    SparseReader::Entry entry;
    for (bool more = true; more;) {
      OTE_TRY(more, entries.Next(entry));
    }
  }
  return reader;
}

void UpdateReader::ForEach(const PieceTaker& take) const {
  std::vector<float> piece(std::min(kPiece, form_.Length()));
  const std::size_t length = form_.Length();
  for (std::size_t v = 0; v < form_.vectors; ++v) {
    const ByteView vector = Vector(v);
    if (Quantizes(form_)) {
      for (std::size_t at = 0; at < length; at += kPiece) {
        const auto values = std::span(piece).first(std::min(kPiece, length - at));
        Dequantize(vector.subspan(QuantizedSize(at, form_.compression.bits)), form_.compression.bits, values);
        take(v * length + at, values);
      }
      continue;
    }
    auto entries = SparseReader::Open(vector, length, KeptOf(length, form_.compression.fraction));
    std::fill(piece.begin(), piece.end(), 0.0f);
    std::size_t begin = 0;
    bool any = false;
    const auto give = [&] {
      if (any) take(v * length + begin, std::span(piece).first(std::min(kPiece, length - begin)));
      any = false;
    };
    SparseReader::Entry entry;
    while (entries && entries->Next(entry).value_or(false)) {
      if (const std::size_t at = entry.place / kPiece * kPiece; at != begin) {
        give();
        std::fill(piece.begin(), piece.end(), 0.0f);
        begin = at;
      }
      piece[entry.place - begin] = entry.value;
      any = true;
    }
    give();
  }
}

std::vector<float> UpdateReader::Values() const {
  std::vector<float> out(form_.values);
  ForEach([&out](std::size_t begin, std::span<const float> values) {
    std::copy(values.begin(), values.end(), out.begin() + static_cast<std::ptrdiff_t>(begin));
  });
  return out;
}

RangeReader ReadQuantized(RangeReader read, const UpdateForm& form) {
  assert(Quantizes(form) && form.vectors == 1);
  return [read = std::move(read), form](const std::string& digest, std::int64_t offset,
                                        std::span<std::uint8_t> out) -> Result<void> {
    const std::int64_t bits = form.compression.bits;
    const auto begin = static_cast<std::size_t>(offset) / sizeof(float);
    const std::size_t count = out.size() / sizeof(float);
    if (begin > form.values || count > form.values - begin) {
      return Fail(ErrorId::kUpdateShape, "a range beyond the end of an update");
    }
    if (count == 0) return {};
    const std::size_t first = begin / kQuantizedBlock * kQuantizedBlock;
    const std::size_t end =
        std::min(form.values, (begin + count + kQuantizedBlock - 1) / kQuantizedBlock * kQuantizedBlock);
    const std::size_t from = QuantizedSize(first, bits);
    Bytes packed(QuantizedSize(end, bits) - from);
    OTE_CHECK(read(digest, static_cast<std::int64_t>(kUpdateHeader + from), packed));
    std::vector<float> values(end - first);
    Dequantize(packed, bits, values);
    std::memcpy(out.data(), values.data() + (begin - first), out.size());
    return {};
  };
}

}  // namespace ote::federate
