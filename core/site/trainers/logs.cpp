#include "core/site/trainers/logs.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/files.h"
#include "core/base/ids.h"
#include "core/base/log.h"

namespace ote::site {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTail = 4096;
constexpr const char* kRows = ".rows";

struct Rows {
  std::string name;
  std::string path;
  std::string digest;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("path", self.path, kRequired);
    v("digest", self.digest, kRequired);
  }
};

Error Missing(const std::string& run) {
  return {ErrorId::kTrainerLogMissing, fmt::format("run {}: no trainer of this cluster's own has run for it", run), {}};
}

// Those that were written longest ago go.
void DropOld(const fs::path& folder, const fs::path& mine) {
  std::vector<std::pair<fs::file_time_type, fs::path>> logs;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".log" && it->path() != mine)
      logs.emplace_back(it->last_write_time(error), it->path());
  }
  if (logs.size() < kLogRuns) return;
  std::sort(logs.begin(), logs.end());
  for (std::size_t i = 0; i + kLogRuns <= logs.size(); ++i) {
    fs::remove(logs[i].second, error);
    fs::remove(logs[i].second.string() + ".1", error);
    fs::remove(fs::path(logs[i].second).replace_extension(kRows), error);
  }
}

// Text that may travel: what is not UTF-8 becomes question marks. A character that was cut at the beginning goes.
std::string AsUtf8(std::string text) {
  const auto begin =
      std::find_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
  if (begin - text.begin() < 4) text.erase(text.begin(), begin);
  if (IsUtf8(text)) return text;
  std::replace_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0x80U) != 0; }, '?');
  return text;
}

}  // namespace

TrainerLog::TrainerLog(const fs::path& folder, const std::string& run, const api::Dataset& dataset)
    : path_(folder / (run + ".log")) {
  if (Begin(folder, dataset)) {
    Open();
  } else {
    Complain();
  }
}

// Nothing is kept of which nobody could tell later whom it may be shown.
Result<void> TrainerLog::Begin(const fs::path& folder, const api::Dataset& dataset) const {
  OTE_CHECK(MakeFolder(folder, 0700));
  DropOld(folder, path_);
  const auto rows = DumpJson(ToJson(Rows{dataset.name, dataset.path, dataset.digest}));
  return WriteFileAtomic(fs::path(path_).replace_extension(kRows), AsBytes(rows), 0600);
}

TrainerLog::~TrainerLog() {
  if (fd_ >= 0) ::close(fd_);
}

void TrainerLog::Open() {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  struct stat info {};
  if (fd_ < 0 || ::fstat(fd_, &info) != 0) return Complain();
  size_ = static_cast<std::uint64_t>(info.st_size);
}

void TrainerLog::Rotate() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  std::error_code error;
  fs::rename(path_, path_.string() + ".1", error);
  if (error) return Complain();
  Open();
}

void TrainerLog::Complain() {
  if (std::exchange(complained_, true)) return;
  log::Warn("log of a trainer not written", {{"file", path_.string()}});
}

void TrainerLog::Write(std::string_view text) {
  tail_ += text.substr(text.size() - std::min(text.size(), kTail));
  if (tail_.size() > 2 * kTail) tail_.erase(0, tail_.size() - kTail);
  if (!text.empty()) at_begin_ = text.back() == '\n';
  Append(text);
}

void TrainerLog::Note(std::string_view line) {
  Append(fmt::format("{}{}\n", at_begin_ ? "" : "\n", line));
  at_begin_ = true;
}

void TrainerLog::Append(std::string_view text) {
  while (!text.empty()) {
    if (size_ >= kLogPart) Rotate();
    if (fd_ < 0) return;
    const auto piece = text.substr(0, std::min<std::uint64_t>(text.size(), kLogPart - std::min(size_, kLogPart - 1)));
    const ssize_t put = ::write(fd_, piece.data(), piece.size());
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return Complain();
    size_ += static_cast<std::uint64_t>(put);
    text.remove_prefix(static_cast<std::size_t>(put));
  }
}

std::string TrainerLog::Tail(std::size_t lines, std::size_t bytes) const {
  std::vector<std::string_view> last;
  std::string_view rest = tail_;
  while (!rest.empty() && last.size() < lines) {
    const auto at = rest.rfind('\n');
    auto line = at == std::string_view::npos ? rest : rest.substr(at + 1);
    rest = rest.substr(0, at == std::string_view::npos ? 0 : at);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
    if (!line.empty()) last.push_back(line);
  }
  std::string text;
  for (auto it = last.rbegin(); it != last.rend(); ++it) {
    if (!text.empty()) text += " | ";
    text += *it;
  }
  if (text.size() > bytes) text = text.substr(text.size() - bytes);
  return AsUtf8(std::move(text));
}

Result<api::OutputTail> ReadTrainerLog(const fs::path& folder, const std::string& run, std::int64_t most) {
  // It becomes part of a path.
  OTE_CHECK(CheckName("run", run));
  const auto limit = static_cast<std::size_t>(std::clamp<std::int64_t>(most, 1, api::kMostOutput));
  const auto path = folder / (run + ".log");
  std::error_code error;
  if (!fs::exists(path, error)) return Fail(Missing(run));
  OTE_TRY(std::string text, ReadTextFile(path));
  if (text.size() < limit && fs::exists(path.string() + ".1", error)) {
    OTE_TRY(const std::string before, ReadTextFile(path.string() + ".1"));
    text.insert(0, before);
  }
  api::OutputTail tail;
  tail.run = run;
  tail.cut = text.size() > limit;
  if (tail.cut) text.erase(0, text.size() - limit);
  tail.text = AsUtf8(std::move(text));
  return tail;
}

Result<api::Dataset> DatasetOfLog(const fs::path& folder, const std::string& run) {
  OTE_CHECK(CheckName("run", run));
  const auto path = folder / (run + kRows);
  std::error_code error;
  if (!fs::exists(path, error)) return Fail(Missing(run));
  OTE_TRY(const std::string text, ReadTextFile(path));
  OTE_TRY(const Json json, ParseJson(text));
  OTE_TRY(auto rows, FromJson<Rows>(json));
  api::Dataset dataset;
  dataset.name = std::move(rows.name);
  dataset.path = std::move(rows.path);
  dataset.digest = std::move(rows.digest);
  return dataset;
}

}  // namespace ote::site
