// The log: structured lines on standard error (or where main points it), never keys, tokens or payloads.
//
//   log::Info("member admitted", {{"cluster", name}, {"serial", serial}});
//
// Any thread. What a peer can trigger goes through a Limiter.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace ote::log {

enum class Level { kDebug, kInfo, kWarn, kError, kOff };
enum class Format { kText, kJson };

// One key and its value, already spelled.
struct Field {
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  template <class N>
  requires std::is_arithmetic_v<N> Field(std::string_view k, N v) : key(k), value(std::to_string(v)) {}

  std::string_view key;
  std::string value;
};
using Fields = std::initializer_list<Field>;

// Called once by main, before threads are started. The default is kWarn, text, standard error.
void Configure(Level level, Format format);
Level ParseLevel(std::string_view text, Level otherwise) noexcept;

void Write(Level level, std::string_view event, Fields fields);
inline void Debug(std::string_view event, Fields fields = {}) { Write(Level::kDebug, event, fields); }
inline void Info(std::string_view event, Fields fields = {}) { Write(Level::kInfo, event, fields); }
inline void Warn(std::string_view event, Fields fields = {}) { Write(Level::kWarn, event, fields); }
inline void Error(std::string_view event, Fields fields = {}) { Write(Level::kError, event, fields); }

// Lets `burst` lines pass, then one every `interval`; the next line that passes tells how many were dropped.
class Limiter {
 public:
  explicit Limiter(int burst = 10, std::chrono::milliseconds interval = std::chrono::seconds(10))
      : burst_(burst), interval_(interval) {}
  // Whether a line may pass at `now` (a steady time).
  bool Allow(std::chrono::milliseconds now);
  // Lines held back since the last one that passed; resets the count.
  std::uint64_t TakeDropped();

 private:
  int burst_;
  std::chrono::milliseconds interval_;
  int used_ = 0;
  std::chrono::milliseconds window_{0};
  std::uint64_t dropped_ = 0;
};

}  // namespace ote::log
