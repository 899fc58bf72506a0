#include "agent/watch/spool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <mutex>

#include "core/base/files.h"
#include "core/base/ids.h"

namespace ote::agent {
namespace {

namespace fs = std::filesystem;

struct Cursor {
  std::uint64_t segment = 0;
  std::uint64_t offset = 0;
  std::uint64_t dropped = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("segment", self.segment);
    v("offset", self.offset);
    v("dropped", self.dropped);
  }
};

struct Segment {
  std::uint64_t size = 0;
  std::uint64_t lines = 0;
};

bool IsId(std::string_view id) {
  return !id.empty() && id.size() <= 256 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
}

std::optional<std::uint64_t> NumberOf(const fs::path& file) {
  const std::string name = file.filename().string();
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  if (parsed.ec != std::errc{} || std::string_view(parsed.ptr) != ".jsonl") return std::nullopt;
  return number;
}

}  // namespace

std::optional<SpoolItem> ReadSpoolLine(std::string_view line) {
  if (line.size() > Spool::kLongestLine) return std::nullopt;
  const auto json = ParseJson(line);
  if (!json || !json->is_object()) return std::nullopt;
  const auto id = json->find("id");
  const auto at = json->find("at");
  const auto doc = json->find("doc");
  if (id == json->end() || at == json->end() || doc == json->end()) return std::nullopt;
  if (!id->is_string() || !at->is_number_integer() || !doc->is_object()) return std::nullopt;
  SpoolItem item{id->get<std::string>(), at->get<std::int64_t>(), DumpJson(*doc)};
  if (!IsId(item.id) || item.at < 0 || item.at > 253'402'300'799'999) return std::nullopt;
  return item;
}

struct Spool::State {
  mutable std::mutex mutex;
  fs::path folder;
  std::string source;
  std::string word;
  std::uint64_t next_id = 1;
  std::uint64_t limit = 0;
  std::uint64_t segment_limit = 0;
  std::map<std::uint64_t, Segment> segments;
  std::uint64_t bytes = 0;
  Cursor cursor;
  std::uint64_t read_lines = 0;  // of the segment of the cursor, before it
  int fd = -1;                   // of the newest segment, when it is this process's

  fs::path FileOf(std::uint64_t number) const { return folder / fmt::format("{:020}.jsonl", number); }

  Result<void> SaveCursor() const {
    return WriteFileAtomic(folder / "cursor.json", AsBytes(DumpJson(ToJson(cursor)) + "\n"), 0600,
                           Durability::kBestEffort);
  }
  // Segments before the cursor hold nothing that is needed.
  void RemoveDone() {
    while (!segments.empty() && segments.begin()->first < cursor.segment) Remove(segments.begin()->first);
  }
  void Remove(std::uint64_t number) {
    std::error_code ignored;
    fs::remove(FileOf(number), ignored);
    bytes -= segments[number].size;
    segments.erase(number);
  }
  // The oldest one goes, with what nobody took.
  void GiveUpOldest() {
    const auto [number, segment] = *segments.begin();
    if (cursor.segment <= number) {
      cursor.dropped += segment.lines - (cursor.segment == number ? read_lines : 0);
      cursor.segment = number + 1;
      cursor.offset = 0;
      read_lines = 0;
    }
    if (std::next(segments.begin()) == segments.end() && fd >= 0) {
      ::close(fd);
      fd = -1;
    }
    Remove(number);
  }
  void MakeRoom(std::uint64_t more) {
    bool gave_up = false;
    while (!segments.empty() && bytes + more > limit) {
      GiveUpOldest();
      gave_up = true;
    }
    if (gave_up) static_cast<void>(SaveCursor());
  }
  bool Begin() {
    if (fd >= 0) ::close(fd);
    const std::uint64_t number =
        std::max(segments.empty() ? 0 : segments.rbegin()->first + 1, std::max<std::uint64_t>(cursor.segment, 1));
    fd = ::open(FileOf(number).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    segments[number] = {};
    return true;
  }
  std::uint64_t Lines() const {
    std::uint64_t lines = 0;
    for (const auto& [number, segment] : segments) lines += segment.lines;
    return lines - std::min(lines, read_lines);
  }
};

Spool::Spool(std::unique_ptr<State> state) : state_(std::move(state)) {}
Spool::~Spool() {
  if (state_->fd >= 0) ::close(state_->fd);
}

Result<std::unique_ptr<Spool>> Spool::Open(const fs::path& folder, const std::string& source, std::uint64_t limit) {
  OTE_CHECK(MakeFolder(folder, 0700));
  auto state = std::make_unique<State>();
  state->folder = folder;
  state->source = source;
  state->word = NewId("s").substr(2);
  state->limit = limit;
  state->segment_limit = std::clamp<std::uint64_t>(limit / 16, 64 << 10, 4 << 20);
  if (const auto text = ReadTextFile(folder / "cursor.json", 4096)) {
    // One that cannot be read means that all is sent again; the ids tell that it was.
    if (const auto json = ParseJson(*text)) {
      if (auto cursor = FromWire<Cursor>(*json)) state->cursor = *cursor;
    }
  }
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    const auto number = NumberOf(entry.path());
    if (!number) continue;
    OTE_TRY(const std::string text, ReadTextFile(entry.path()));
    const auto lines = static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
    state->segments[*number] = {text.size(), lines};
    state->bytes += text.size();
    if (*number == state->cursor.segment) {
      state->cursor.offset = std::min<std::uint64_t>(state->cursor.offset, text.size());
      const auto end = text.begin() + static_cast<std::ptrdiff_t>(state->cursor.offset);
      state->read_lines = static_cast<std::uint64_t>(std::count(text.begin(), end, '\n'));
    }
  }
  if (failed) return Fail(FileError("cannot list", folder, failed.value()));
  if (!state->segments.contains(state->cursor.segment)) state->cursor.offset = 0;
  state->RemoveDone();
  state->MakeRoom(0);
  return std::unique_ptr<Spool>(new Spool(std::move(state)));
}

void Spool::Append(UnixMillis at, const Json& doc) {
  const std::lock_guard guard(state_->mutex);
  State& s = *state_;
  const std::string id = fmt::format("{}.{}.{}", s.source, s.word, s.next_id++);
  const std::string line = DumpJson(Json{{"id", id}, {"at", at}, {"doc", doc}}) + "\n";
  if (line.size() > kLongestLine || line.size() > s.limit) {
    ++s.cursor.dropped;
    return;
  }
  s.MakeRoom(line.size());
  const bool fits = s.fd >= 0 && s.segments.rbegin()->second.size + line.size() <= s.segment_limit;
  if (!fits && !s.Begin()) {
    ++s.cursor.dropped;
    return;
  }
  auto& segment = s.segments.rbegin()->second;
  const auto written = ::write(s.fd, line.data(), line.size());
  if (written > 0) {
    segment.size += static_cast<std::uint64_t>(written);
    s.bytes += static_cast<std::uint64_t>(written);
  }
  if (written == static_cast<ssize_t>(line.size())) {
    ++segment.lines;
    return;
  }
  // A full disk, say. What was cut off ends here, and the next record begins another segment.
  ++s.cursor.dropped;
  ::close(s.fd);
  s.fd = -1;
}

Spool::Batch Spool::Next(std::size_t most, std::size_t bytes) {
  const std::lock_guard guard(state_->mutex);
  State& s = *state_;
  Batch batch;
  batch.end = {s.cursor.segment, s.cursor.offset};
  std::size_t taken = 0;
  for (auto it = s.segments.lower_bound(s.cursor.segment); it != s.segments.end(); ++it) {
    const std::uint64_t number = it->first;
    const auto text = ReadTextFile(s.FileOf(number));
    if (!text) continue;
    std::size_t begin = number == s.cursor.segment ? s.cursor.offset : 0;
    while (begin < text->size()) {
      const std::size_t end = text->find('\n', begin);
      if (end == std::string::npos) break;  // cut off
      auto item = ReadSpoolLine(std::string_view(*text).substr(begin, end - begin));
      if (batch.items.size() >= most || (taken > 0 && taken + (end - begin) > bytes)) return batch;
      taken += end - begin;
      begin = end + 1;
      batch.end = {number, begin};
      if (item) batch.items.push_back(std::move(*item));
    }
  }
  return batch;
}

Result<void> Spool::Done(const SpoolPlace& end) {
  const std::lock_guard guard(state_->mutex);
  State& s = *state_;
  if (end <= SpoolPlace{s.cursor.segment, s.cursor.offset}) return {};
  s.cursor.segment = end.segment;
  s.cursor.offset = end.offset;
  s.read_lines = 0;
  if (const auto it = s.segments.find(end.segment); it != s.segments.end()) {
    if (end.offset >= it->second.size) {
      s.read_lines = it->second.lines;
    } else if (const auto text = ReadTextFile(s.FileOf(end.segment))) {
      const auto upto = std::min<std::uint64_t>(end.offset, text->size());
      s.read_lines = static_cast<std::uint64_t>(
          std::count(text->begin(), text->begin() + static_cast<std::ptrdiff_t>(upto), '\n'));
    }
  }
  // The cursor first: were it the other way round, a crash would leave one that points at nothing.
  OTE_CHECK(s.SaveCursor());
  s.RemoveDone();
  // The newest one, too, once all of it is gone: nothing waits, nothing is kept.
  if (s.segments.size() == 1 && s.segments.begin()->first == end.segment &&
      end.offset >= s.segments.begin()->second.size) {
    if (s.fd >= 0) ::close(s.fd);
    s.fd = -1;
    s.cursor.segment = end.segment + 1;
    s.cursor.offset = 0;
    s.read_lines = 0;
    OTE_CHECK(s.SaveCursor());
    s.RemoveDone();
  }
  return {};
}

std::uint64_t Spool::Waiting() const {
  const std::lock_guard guard(state_->mutex);
  return state_->Lines();
}
std::uint64_t Spool::Bytes() const {
  const std::lock_guard guard(state_->mutex);
  return state_->bytes;
}
std::uint64_t Spool::Dropped() const {
  const std::lock_guard guard(state_->mutex);
  return state_->cursor.dropped;
}

}  // namespace ote::agent
