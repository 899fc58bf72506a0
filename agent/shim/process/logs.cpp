#include "agent/shim/process/logs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <ctime>

#include "core/base/bytes.h"
#include "core/base/codec.h"
#include "core/base/files.h"
#include "core/base/json_builder.h"

namespace ote::agent::process {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kMostFiles = 100;

fs::path FileAt(const fs::path& folder, std::size_t number) {
  return folder / (number == 0 ? std::string("log") : fmt::format("log.{}", number));
}

// The millisecond of "2026-11-23T20:26:00.000Z"; 0 for anything else.
UnixMillis TimeOf(std::string_view text) {
  std::tm when{};
  int millis = 0;
  const std::string copy(text);
  char end = 0;
  if (copy.size() != 24 || std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3d%c", &when.tm_year, &when.tm_mon,
                                       &when.tm_mday, &when.tm_hour, &when.tm_min, &when.tm_sec, &millis, &end) != 8)
    return 0;
  if (end != 'Z' || millis < 0) return 0;
  when.tm_year -= 1900;
  when.tm_mon -= 1;
  return static_cast<UnixMillis>(::timegm(&when)) * 1000 + millis;
}

}  // namespace

LogWriter::LogWriter(fs::path folder, std::int64_t bytes, std::int64_t files)
    : folder_(std::move(folder)), bytes_(bytes), files_(files) {
  for (const char* name : {"out", "err", "ote"}) streams_.push_back({name, {}, false});
  const auto path = FileAt(folder_, 0);
  file_ = Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  struct stat info {};
  if (file_ && ::fstat(file_.get(), &info) == 0) size_ = info.st_size;
}

void LogWriter::Write(std::string_view name, std::string_view text, UnixMillis at) {
  const auto stream = std::find_if(streams_.begin(), streams_.end(), [name](const auto& s) { return s.name == name; });
  if (stream == streams_.end()) return;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto room = kLongestLine - stream->line.size();
    stream->line.append(text.substr(0, std::min(end, room)));
    stream->cut = stream->cut || end > room;
    if (end == text.size()) return;
    Put(*stream, at);
    stream->line.clear();
    stream->cut = false;
    text.remove_prefix(end + 1);
  }
}

void LogWriter::Flush(UnixMillis at) {
  for (auto& stream : streams_) {
    if (!stream.line.empty()) Put(stream, at);
    stream.line.clear();
    stream.cut = false;
  }
}

void LogWriter::Put(const Stream& stream, UnixMillis at) {
  const auto line = fmt::format("{} {} {}{}\n", FormatTime(at), stream.name, stream.line, stream.cut ? "…" : "");
  if (size_ > 0 && size_ + static_cast<std::int64_t>(line.size()) > bytes_) Rotate();
  if (!file_) return;
  if (::write(file_.get(), line.data(), line.size()) > 0) size_ += static_cast<std::int64_t>(line.size());
}

void LogWriter::Rotate() {
  for (auto number = static_cast<std::size_t>(files_) - 1; number > 0; --number)
    ::rename(FileAt(folder_, number - 1).c_str(), FileAt(folder_, number).c_str());
  const auto path = FileAt(folder_, 0);
  if (files_ == 1) ::unlink(path.c_str());
  file_ = Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  size_ = 0;
}

LogLine ParseLogLine(std::string_view line, const std::string& replica) {
  LogLine parsed;
  parsed.replica = replica;
  const auto first = line.find(' ');
  const auto second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second != std::string_view::npos) parsed.at = TimeOf(line.substr(0, first));
  parsed.text = parsed.at == 0 ? line : line.substr(second + 1);
  // Of the supervisor, not of the command.
  if (parsed.at != 0 && line.substr(first + 1, second - first - 1) == "ote") parsed.text = "[ote] " + parsed.text;
  if (!IsUtf8(parsed.text)) parsed.text = codec::ForMessage(parsed.text, kLongestLine);
  return parsed;
}

bool LogReader::Open(std::size_t number) {
  rest_.clear();
  file_ = Descriptor(::open(FileAt(folder_, number).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info {};
  if (!file_ || ::fstat(file_.get(), &info) != 0) return false;
  inode_ = info.st_ino;
  return true;
}

void LogReader::ReadOn(std::vector<LogLine>& lines) {
  std::array<char, 65536> buffer;  // NOLINT: filled by read
  for (;;) {
    const ssize_t got = ::read(file_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    rest_.append(buffer.data(), static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = rest_.find('\n', begin)) != std::string::npos; begin = end + 1)
      lines.push_back(ParseLogLine(std::string_view(rest_).substr(begin, end - begin), replica_));
    rest_.erase(0, begin);
  }
}

std::vector<LogLine> LogReader::Begin(std::int64_t tail) {
  std::vector<LogLine> lines;
  if (Open(0)) ReadOn(lines);
  const auto enough = [&lines, tail] { return tail >= 0 && std::cmp_greater_equal(lines.size(), tail); };
  for (std::size_t number = 1; number < kMostFiles && !enough(); ++number) {
    LogReader older(folder_, replica_);
    if (!older.Open(number)) break;
    std::vector<LogLine> before;
    older.ReadOn(before);
    lines.insert(lines.begin(), std::make_move_iterator(before.begin()), std::make_move_iterator(before.end()));
  }
  if (tail >= 0 && std::cmp_greater(lines.size(), tail)) lines.erase(lines.begin(), lines.end() - tail);
  return lines;
}

std::vector<LogLine> LogReader::Next() {
  std::vector<LogLine> lines;
  if (!file_ && !Open(0)) return lines;
  // What came after the file that is read, from the newest: a rotation meanwhile shows one twice, and hides none. When
  // ours is not there any more, all that are there came after it; it is open, so no other has its inode.
  std::vector<LogReader> later;
  for (std::size_t number = 0; number < kMostFiles; ++number) {
    LogReader other(folder_, replica_);
    if (!other.Open(number)) continue;  // in the middle of a rotation a number is free
    if (other.inode_ == inode_) break;
    const bool twice = std::any_of(later.begin(), later.end(), [&](const auto& l) { return l.inode_ == other.inode_; });
    if (!twice) later.push_back(std::move(other));
  }
  ReadOn(lines);  // after that look: to its end, if something came after it
  for (; !later.empty(); later.pop_back()) {
    *this = std::move(later.back());
    ReadOn(lines);
  }
  return lines;
}

}  // namespace ote::agent::process
