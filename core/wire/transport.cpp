#include "core/wire/transport.h"

namespace ote::wire {

Envelope MakeEvictionNotice() {
  Envelope about;
  about.verb = kEvictedVerb;
  return MakeError(about, Error{ErrorId::kRevoked, "this cluster was removed", {}});
}

}  // namespace ote::wire
