#include "core/base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>

#include "core/base/log_format.h"
#include "core/base/log_sink.h"

namespace ote::log {
namespace {

std::atomic<Level> level_now{Level::kWarn};
std::atomic<Format> format_now{Format::kText};

// The one thing here that is shared by the whole process, as standard error is. Never destroyed, so that a thread that
// outlives main may still write.
spdlog::logger& Terminal() {
  static spdlog::logger& logger = *[] {
    auto made = new spdlog::logger("ote", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return logger;
}

// What SetSink and SetAgent set. Never destroyed, for the same reason.
struct Extras {
  std::mutex mutex;
  std::string agent;
  Sink sink;
};
Extras& Others() {
  static Extras& extras = *new Extras;
  return extras;
}
std::atomic<bool> has_sink{false};
thread_local bool in_sink = false;

std::string Agent() {
  const std::lock_guard guard(Others().mutex);
  return Others().agent;
}

}  // namespace

void SetAgent(std::string name) {
  const std::lock_guard guard(Others().mutex);
  Others().agent = std::move(name);
}

void SetSink(Sink sink) {
  const std::lock_guard guard(Others().mutex);
  has_sink = static_cast<bool>(sink);
  Others().sink = std::move(sink);
}

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
    const Record record{SystemClock().WallNow(), level, event, {fields.begin(), fields.size()}};
    const Format format = format_now.load(std::memory_order_relaxed);
    const std::string line = FormatLine(level, format, record.at, event, record.fields,
                                        format == Format::kJson && !in_sink ? Agent() : std::string());
    Terminal().log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
    if (!has_sink || in_sink) return;
    const std::lock_guard guard(Others().mutex);
    in_sink = true;
    try {
      if (Others().sink) Others().sink(record);
    } catch (const std::exception&) {
      // The line is on standard error; that must be enough.
    }
    in_sink = false;
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
