// A Caller as the User-Id of a connection.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/wire/transport.h"

namespace ote::wire {

struct UserId {
  PeerId peer;
  Caller caller;
};

// Printable, so that it goes through ZeroMQ's metadata, which ends at a zero byte.
std::string FormatUserId(const UserId& user);
// Reads what FormatUserId wrote; nullopt for anything else.
std::optional<UserId> ParseUserId(std::string_view text);

}  // namespace ote::wire
