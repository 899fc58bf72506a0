// What an update is on disk and on its way: float32 side by side, or compressed.
//
// A compressed one begins with 40 bytes: "OTEUPD1\0", then as 64-bit numbers the method (1 quantize, 2 top-k), its
// setting (the bits of a value; the values that are sent of each vector), the values of all vectors together, and the
// vectors. The vectors follow, each compressed by itself; most updates hold one. All is little-endian, and bits are
// counted from the lowest of the first byte on. The form alone decides the size, so that what a site announces can be
// checked before it is fetched.
//
// quantize (Alistarh, Grubic, Li, Tomioka and Vojnovic 2017, QSGD, with the largest value of a block as its norm):
// blocks of 256 values, the last one shorter: the block's scale as float32, then a whole number of 8 or 4 bits in two's
// complement for each value. 4-bit numbers stand two in a byte, the first one low; a half byte that is left over is
// zero. The number c stands for c · scale / L, L being 127 or 7, computed in float64 and rounded once to float32.
//
// top-k (Stich, Cordonnier and Jaggi 2018): the k values that are sent, as float32, in the order of their places; then
// the places, p_0 < p_1 < … below n, as Elias and Fano have them: with l the largest number for which k·2^l <= n, the
// bits numbered (p_i >> l) + i are set, of k + ((n - 1) >> l) + 1; then the l low bits of each place. Either part is
// filled up to a byte with zeros. All other values are zero. There is one way only to write a set of places.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/api/compression.h"
#include "core/base/bytes.h"

namespace ote::federate {

struct UpdateForm {
  api::CompressionSpec compression;
  std::size_t values = 0;   // of all vectors together
  std::size_t vectors = 1;  // all of the same length

  bool Compressed() const noexcept { return compression.kind != api::CompressionKind::kNone; }
  // Values of one vector.
  std::size_t Length() const noexcept { return values / vectors; }
  friend bool operator==(const UpdateForm&, const UpdateForm&) = default;
};

// Bytes of an update of this form. The compression must be in range, and values a multiple of vectors.
std::size_t SizeOf(const UpdateForm& form) noexcept;

// How many of `count` values top-k sends: at least one, where there is one.
std::size_t KeptOf(std::size_t count, double fraction) noexcept;

inline constexpr std::size_t kUpdateHeader = 40;
// Fills in the header of a compressed update, and tells whether `bytes` begin with the one of this form.
void PutHeader(const UpdateForm& form, std::span<std::uint8_t, kUpdateHeader> out) noexcept;
bool HasHeader(ByteView bytes, const UpdateForm& form) noexcept;

}  // namespace ote::federate
