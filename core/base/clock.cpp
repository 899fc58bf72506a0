#include "core/base/clock.h"

#include <fmt/format.h>

#include <ctime>

namespace ote {

UnixMillis SystemClock::WallNow() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::chrono::milliseconds SystemClock::SteadyNow() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch());
}

std::string FormatTime(UnixMillis at) {
  // Floors, so that a time before 1970 keeps its milliseconds positive.
  const UnixMillis millis = ((at % 1000) + 1000) % 1000;
  const auto seconds = static_cast<std::time_t>((at - millis) / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900LL, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, millis);
}

}  // namespace ote
