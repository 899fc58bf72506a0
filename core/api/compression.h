// How updates are made smaller for the way to the root: the `compression` part of a run file, ote-run(5).
#pragma once

#include "core/base/codec.h"
#include "core/base/result.h"

namespace ote::api {

enum class CompressionKind { kNone, kQuantize, kTopK };

// Each kind reads its own setting.
struct CompressionSpec {
  CompressionKind kind = CompressionKind::kNone;
  std::int64_t bits = 8;   // quantize: of a value, 4 or 8
  double fraction = 0.01;  // top-k: the part of the values that is sent, the largest

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("kind", self.kind);
    v("bits", self.bits);
    v("fraction", self.fraction);
  }
  friend bool operator==(const CompressionSpec&, const CompressionSpec&) = default;
};
Result<void> Validate(const CompressionSpec& spec);

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::CompressionKind> {
  using E = ote::api::CompressionKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kNone, "none"}, {E::kQuantize, "quantize"}, {E::kTopK, "top-k"}};
};
