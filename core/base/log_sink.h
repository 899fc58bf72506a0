// Where else the log goes, and in whose name: what the agent's main sets up, and what sends logs away takes part by.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/base/clock.h"
#include "core/base/log.h"

namespace ote::log {

// One record, valid during the call only.
struct Record {
  UnixMillis at = 0;
  Level level = Level::kInfo;
  std::string_view event;
  std::span<const Field> fields;
};
std::string_view LevelName(Level level) noexcept;

// Called for each record that passes the level, in the thread that wrote it, one at a time; it must not wait. What it
// logs itself goes to standard error alone. An empty one ends it: once this returns, the old one is not running.
using Sink = std::function<void(const Record&)>;
void SetSink(Sink sink);

// The cluster that JSON lines name as `agent`; "" for none.
void SetAgent(std::string name);

}  // namespace ote::log
