#include "core/base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <atomic>
#include <exception>
#include <memory>

#include "core/base/log_format.h"

namespace ote::log {
namespace {

std::atomic<Level> level_now{Level::kWarn};
std::atomic<Format> format_now{Format::kText};

// The one thing here that is shared by the whole process, as standard error is. Never destroyed, so that a thread that
// outlives main may still write.
spdlog::logger& Sink() {
  static spdlog::logger& logger = *[] {
    auto made = new spdlog::logger("ote", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return logger;
}

}  // namespace

void Configure(Level level, Format format) {
  level_now = level;
  format_now = format;
}

Level ParseLevel(std::string_view text, Level otherwise) noexcept {
  if (text == "debug") return Level::kDebug;
  if (text == "info") return Level::kInfo;
  if (text == "warn") return Level::kWarn;
  if (text == "error") return Level::kError;
  if (text == "off") return Level::kOff;
  return otherwise;
}

void Write(Level level, std::string_view event, Fields fields) {
  if (level == Level::kOff || level < level_now.load(std::memory_order_relaxed)) return;
  // A line that cannot be written must not end the program that wanted to tell something.
  try {
    const std::string line = FormatLine(level, format_now.load(std::memory_order_relaxed), SystemClock().WallNow(),
                                        event, {fields.begin(), fields.size()});
    Sink().log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
  } catch (const std::exception&) {
    return;
  }
}

bool Limiter::Allow(std::chrono::milliseconds now) {
  if (used_ < burst_) {
    ++used_;
    window_ = now;
    return true;
  }
  if (now - window_ >= interval_) {
    window_ = now;
    return true;
  }
  ++dropped_;
  return false;
}

std::uint64_t Limiter::TakeDropped() { return std::exchange(dropped_, 0); }

}  // namespace ote::log
