// How a line of the log is spelled; apart from where it goes, so that it can be tested.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/log.h"

namespace ote::log {

// One line without its end. Text: `2026-11-23T20:26:00.000Z info  event key=value`, where a value that holds a space, a
// quote, an equals sign or a control character is quoted and escaped, so that nothing a peer sends can forge a line or
// steer a terminal. JSON: one object with `time`, `level`, `event`, the cluster as `agent` unless it is "", and the
// fields as strings.
std::string FormatLine(Level level, Format format, UnixMillis at, std::string_view event, std::span<const Field> fields,
                       std::string_view agent = {});

}  // namespace ote::log
