// What a replica prints: lines of `RFC3339 stream text` in `log`, with `log.1` the file before it, and so on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "agent/shim/shim.h"
#include "core/base/clock.h"
#include "core/base/descriptor.h"

namespace ote::agent::process {

inline constexpr std::size_t kLongestLine = 16 << 10;  // what is beyond is left out

// Appends; one thread. What cannot be written is lost: a full disk does not stop a command.
class LogWriter {
 public:
  LogWriter(std::filesystem::path folder, std::int64_t bytes, std::int64_t files);
  // What a stream printed, as it came: "out", "err", or "ote" for lines of our own.
  void Write(std::string_view stream, std::string_view text, UnixMillis at);
  // Ends the lines that have no end yet.
  void Flush(UnixMillis at);

 private:
  struct Stream {
    std::string name;
    std::string line;
    bool cut = false;
  };
  void Put(const Stream& stream, UnixMillis at);
  void Rotate();

  std::filesystem::path folder_;
  std::int64_t bytes_;
  std::int64_t files_;
  Descriptor file_;
  std::int64_t size_ = 0;
  std::vector<Stream> streams_;
};

// Reads one replica's log, from its last `tail` lines on, across rotations. One thread.
class LogReader {
 public:
  LogReader(std::filesystem::path folder, std::string replica)
      : folder_(std::move(folder)), replica_(std::move(replica)) {}
  // The last `tail` lines of all files, all that are kept when it is below zero; then Next goes on after them.
  std::vector<LogLine> Begin(std::int64_t tail);
  // Lines that came since.
  std::vector<LogLine> Next();
  const std::filesystem::path& folder() const { return folder_; }

 private:
  bool Open(std::size_t number);
  void ReadOn(std::vector<LogLine>& lines);

  std::filesystem::path folder_;
  std::string replica_;
  Descriptor file_;
  ino_t inode_ = 0;
  std::string rest_;  // of a line that has no end yet
};

// One line of a log file; a line that is not as we write it is text of no known time.
LogLine ParseLogLine(std::string_view line, const std::string& replica);

}  // namespace ote::agent::process
