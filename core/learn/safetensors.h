// The safetensors file format: 8 bytes of little-endian header length, a JSON header, the tensors' bytes.
//
// Write() is canonical: the same layout, metadata and values give the same bytes (header keys sorted, no spaces, padded
// with spaces to 8 bytes, tensors in layout order and without gaps), so a model's digest is the digest of its file.
// Reading trusts nothing: overlapping, out-of-range or gapped offsets, other types than F32, duplicate names, and
// headers above 1 MiB are refused with kModelInvalid. No allocation is larger than the input.
#pragma once

#include <map>
#include <span>
#include <string>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/learn/layout.h"

namespace ote::learn {

using Metadata = std::map<std::string, std::string>;

struct SafetensorsView {
  Layout layout;  // in file order
  Metadata metadata;
  ByteView data;  // into the bytes that were parsed; float32 little-endian, no alignment promised
};

// Header only; `Values` of the same layout follow it directly. For writing without a copy of the values.
Bytes SafetensorsHeader(const Layout& layout, const Metadata& metadata);
Bytes WriteSafetensors(const Layout& layout, std::span<const float> values, const Metadata& metadata);
// `bytes` must outlive the view.
Result<SafetensorsView> ReadSafetensors(ByteView bytes);
// Copies the values out, in file order.
std::vector<float> CopyValues(const SafetensorsView& view);

}  // namespace ote::learn
