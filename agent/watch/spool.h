// Records of the log that wait to be sent: JSON lines in segments on disk, bounded, the oldest given up first.
//
//   spool/00000000000000000012.jsonl   one {"id":…,"at":…,"doc":{…}} a line
//   spool/cursor.json                  up to where all was taken by the other side
//
// An id is given once: source, a word that is new with every opening, and a number. A record that is read again after a
// crash has the id that it had, so that the other side can tell it from a new one. A crash of the process loses
// nothing; a power cut may lose the last moments, which nobody was promised. A line that was cut off is passed over.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/clock.h"
#include "core/base/codec.h"
#include "core/base/result.h"

namespace ote::agent {

struct SpoolItem {
  std::string id;
  UnixMillis at = 0;
  std::string doc;  // one JSON object in one line
};
// One line of a segment, without its end; nothing when it is none that was written here.
std::optional<SpoolItem> ReadSpoolLine(std::string_view line);

// Where in the spool something stands.
struct SpoolPlace {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  friend auto operator<=>(const SpoolPlace&, const SpoolPlace&) = default;
};

// Any thread.
class Spool {
 public:
  static constexpr std::size_t kLongestLine = 64 << 10;

  // Makes the folder. `limit` is in bytes and holds for all segments together; what is there beyond it is given up now.
  static Result<std::unique_ptr<Spool>> Open(const std::filesystem::path& folder, const std::string& source,
                                             std::uint64_t limit);
  ~Spool();

  // Writes the record and makes room for it. One that cannot be written is given up and counted, as is one that is
  // too long.
  void Append(UnixMillis at, const Json& doc);

  struct Batch {
    std::vector<SpoolItem> items;
    SpoolPlace end;
  };
  // The oldest records that were not acknowledged: at most so many and about so many bytes, at least one if there is
  // one.
  Batch Next(std::size_t most, std::size_t bytes);
  // All up to `end` were dealt with.
  Result<void> Done(const SpoolPlace& end);

  std::uint64_t Waiting() const;  // records
  std::uint64_t Bytes() const;
  std::uint64_t Dropped() const;  // records given up, since the folder was made

 private:
  struct State;
  explicit Spool(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ote::agent
