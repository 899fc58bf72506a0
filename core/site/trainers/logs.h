// What the trainers of a site printed: one log a run, bounded, at <state>/trainers/logs.
//
//   <run>.log    the newest part, at most kPart bytes
//   <run>.log.1  the part before it
//   <run>.rows   whose rows its trainers had: what a data set's privacy account is found by
//
// The logs of the kRuns runs that were written last stay. Files are for the user of the agent alone.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/api/dataset.h"
#include "core/api/requests.h"
#include "core/base/result.h"

namespace ote::site {

inline constexpr std::uint64_t kLogPart = 512 << 10;
inline constexpr std::size_t kLogRuns = 32;

// Appends to the log of one run. One thread. What cannot be written is lost, and said once in the agent's log: a full
// disk does not end a training.
class TrainerLog {
 public:
  TrainerLog(const std::filesystem::path& folder, const std::string& run, const api::Dataset& dataset);
  ~TrainerLog();
  TrainerLog(const TrainerLog&) = delete;
  TrainerLog& operator=(const TrainerLog&) = delete;

  // What the program printed, as it came.
  void Write(std::string_view text);
  // A line of our own.
  void Note(std::string_view line);
  // Of what the program printed: the last `lines` lines that are not empty, of at most `bytes` bytes, joined by " | ".
  std::string Tail(std::size_t lines, std::size_t bytes) const;

 private:
  Result<void> Begin(const std::filesystem::path& folder, const api::Dataset& dataset) const;
  void Open();
  void Rotate();
  void Complain();
  void Append(std::string_view text);

  std::filesystem::path path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  bool complained_ = false;
  std::string tail_;
  bool at_begin_ = true;  // of a line
};

// The end of a run's log, as UTF-8. kTrainerLogMissing.
Result<api::OutputTail> ReadTrainerLog(const std::filesystem::path& folder, const std::string& run, std::int64_t most);
// The data set that a run's log is of: its name, path and digest, and nothing else. kTrainerLogMissing.
Result<api::Dataset> DatasetOfLog(const std::filesystem::path& folder, const std::string& run);

}  // namespace ote::site
