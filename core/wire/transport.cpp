#include "core/wire/transport.h"

namespace ote::wire {

bool IsAtMost(const Caller& caller, const Caller& line) noexcept {
  return caller.kind == line.kind && caller.name == line.name && caller.serial <= line.serial;
}

Envelope MakeEvictionNotice() {
  Envelope about;
  about.verb = kEvictedVerb;
  return MakeError(about, Error{ErrorId::kRevoked, "this cluster was removed", {}});
}

}  // namespace ote::wire
