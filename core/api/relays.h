// What the relays between a root and its sites do with updates.
#pragma once

#include "core/base/codec.h"

namespace ote::api {

// carry: pass them on sealed, so that only the root reads them. fold: add up those of their own subtree, which they
// read for that, and pass on one sum.
enum class RelayKind { kCarry, kFold };

// Whether a site lets relays read the updates that are made of a data set, to add them up. With kRefuse its updates are
// sealed to the root alone, whatever the run file says.
enum class FoldPolicy { kAllow, kRefuse };

}  // namespace ote::api

template <>
struct ote::EnumNames<ote::api::RelayKind> {
  using E = ote::api::RelayKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kCarry, "carry"}, {E::kFold, "fold"}};
};
template <>
struct ote::EnumNames<ote::api::FoldPolicy> {
  using E = ote::api::FoldPolicy;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kAllow, "allow"}, {E::kRefuse, "refuse"}};
};
