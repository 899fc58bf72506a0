// Passes everything on to another transport, but loses, repeats or delays messages as a script says.
#pragma once

#include <functional>
#include <memory>

#include "core/wire/transport.h"

namespace ote::wire {

// kDelayOne: held back until the next message came, and handed out after it (in its place, when that one is dropped or
// held back itself).
enum class Fault { kNone, kDrop, kRepeat, kDelayOne };

// Asked for each message that is about to be handed out by Wait(); connections that come and go are not messages.
using FaultScript = std::function<Fault(const Event&)>;

std::unique_ptr<Transport> MakeFaultyTransport(std::unique_ptr<Transport> inner, FaultScript script);

}  // namespace ote::wire
