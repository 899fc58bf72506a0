#include "core/wire/zmq_caller.h"

#include <array>
#include <charconv>

namespace ote::wire {
namespace {

std::optional<std::uint64_t> Number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string FormatUserId(const UserId& user) {
  return std::to_string(user.peer.value) + ":" + std::to_string(static_cast<int>(user.caller.kind)) + ":" +
         std::to_string(user.caller.serial.value) + ":" + (user.caller.renewal_only ? "1" : "0") + ":" +
         HexEncode(AsBytes(user.caller.name));
}

std::optional<UserId> ParseUserId(std::string_view text) {
  std::array<std::string_view, 5> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto colon = text.find(':');
    if ((colon == std::string_view::npos) != (i + 1 == parts.size())) return std::nullopt;
    parts[i] = text.substr(0, colon);
    if (colon != std::string_view::npos) text.remove_prefix(colon + 1);
  }
  const auto peer = Number(parts[0]);
  const auto kind = Number(parts[1]);
  const auto serial = Number(parts[2]);
  const auto name = HexDecode(parts[4]);
  if (!peer || !kind || *kind > static_cast<std::uint64_t>(CallerKind::kOperator) || !serial || !name)
    return std::nullopt;
  return UserId{PeerId{*peer},
                Caller{static_cast<CallerKind>(*kind), std::string(AsText(*name)), BigId{*serial}, parts[3] == "1"}};
}

}  // namespace ote::wire
