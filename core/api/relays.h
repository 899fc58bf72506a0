// What the relays between a root and its sites do with updates.
#pragma once

#include "core/base/codec.h"

namespace ote::api {

// carry: pass them on sealed, so that only the root reads them. fold: add up those of their own subtree, which they
// read for that, and pass on one sum.
enum class RelayKind { kCarry, kFold };

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::RelayKind> {
  using E = ote::api::RelayKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kCarry, "carry"}, {E::kFold, "fold"}};
};
