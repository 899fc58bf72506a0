// The end of a wait that nobody asks for any more: of a stream whose reader has gone, or a question that is held.
//
// Sent as a request with the id 0 over the connection that the question went over, and answered by nobody. One who
// passed the question on passes this on; one who does not know the verb is not harmed by it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/wire/envelope.h"

namespace ote::wire {

inline constexpr std::string_view kCancelVerb = "call.cancel";

// `id` is what the one who asked gave the question.
Envelope MakeCancel(std::uint64_t id);
// The id in it; nullopt for anything else.
std::optional<std::uint64_t> CancelledBy(const Envelope& envelope);

}  // namespace ote::wire
