#include "core/wire/cancel.h"

namespace ote::wire {
namespace {

struct Cancel {
  BigId id;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("id", self.id, kRequired);
  }
};

}  // namespace

Envelope MakeCancel(std::uint64_t id) { return MakeRequest(0, kCancelVerb, ToJson(Cancel{BigId{id}})); }

std::optional<std::uint64_t> CancelledBy(const Envelope& envelope) {
  if (envelope.kind != MessageKind::kRequest || envelope.verb != kCancelVerb) return std::nullopt;
  const auto body = FromWire<Cancel>(envelope.body);
  return body ? std::optional(body->id.value) : std::nullopt;
}

}  // namespace ote::wire
