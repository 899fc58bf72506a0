#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "core/learn/classes.h"
#include "core/learn/formats.h"
#include "core/learn/number.h"

namespace ote::learn {
namespace {

// A row takes the memory of all columns here, present or not: what a short text may ask for is bounded.
constexpr std::uint64_t kCellsPerByte = 256;
constexpr std::uint64_t kFreeCells = 1 << 20;

struct Cell {
  std::int64_t row = 0;
  std::int64_t column = 0;
  float value = 0;
};

class Reader {
 public:
  Reader(std::string_view text, const DataSource& source, std::string_view name)
      : text_(text), source_(source), name_(name) {}

  Result<Table> Read() {
    std::string_view rest = text_;
    while (!rest.empty()) {
      ++line_;
      const std::size_t end = rest.find('\n');
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      if (line.ends_with('\r')) line.remove_suffix(1);
      const bool commented = line.find('#') != std::string_view::npos;
      line = Trim(line.substr(0, line.find('#')));
      if (line.empty() && commented) continue;
      OTE_CHECK(ReadRow(line));
    }
    return Build();
  }

 private:
  tl::unexpected<Error> BadField(std::int64_t field, std::string_view why) const {
    return Fail(ErrorId::kDataBadRow, fmt::format("{}:{}:{}: {}", name_, line_, field, why));
  }

  // Takes the next word off the line.
  static std::string_view Word(std::string_view& line) {
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    const std::string_view word = line.substr(0, end);
    line = Trim(line.substr(end));
    return word;
  }

  Result<void> ReadRow(std::string_view line) {
    if (line.empty()) return BadField(1, "an empty line");
    const std::string_view label = Word(line);
    if (source_.task == api::DataTask::kClassification) {
      if (label.find(':') != std::string_view::npos) return BadField(1, "the label is missing");
      const std::optional<float> number = classes_.Number(label);
      if (!number) {
        return Fail(ErrorId::kDataBadFormat, fmt::format("{}: more than {} classes", name_, kMaxClasses),
                    "for a label that is a measurement give --task regression");
      }
      table_.targets.push_back(*number);
    } else {
      float value = 0;
      const NumberFault fault = ParseNumber(label, value);
      if (fault != NumberFault::kNone) return BadField(1, fmt::format("label: {}", Describe(fault)));
      table_.targets.push_back(value);
    }
    std::int64_t previous = 0;
    for (std::int64_t field = 2; !line.empty(); ++field) {
      const std::string_view word = Word(line);
      const std::size_t colon = word.find(':');
      if (colon == std::string_view::npos) return BadField(field, "not index:value");
      std::int64_t index = 0;
      const char* const end = word.data() + colon;
      const auto [stop, error] = std::from_chars(word.data(), end, index);
      if (error != std::errc() || stop != end || index < 1) return BadField(field, "the index is not a number from 1");
      if (index <= previous) return BadField(field, "the indices do not ascend");
      previous = index;
      float value = std::numeric_limits<float>::quiet_NaN();
      if (const auto text = word.substr(colon + 1); !IsMissing(source_, text)) {
        const NumberFault fault = ParseNumber(text, value);
        if (fault != NumberFault::kNone) return BadField(field, Describe(fault));
      }
      cells_.push_back({table_.rows, index - 1, value});
      table_.columns = std::max(table_.columns, index);
    }
    ++table_.rows;
    return {};
  }

  Result<Table> Build() {
    if (table_.rows > 0 && table_.columns == 0) {
      return Fail(ErrorId::kDataBadFormat, fmt::format("{}: no row has a feature", name_));
    }
    const std::uint64_t allowed = kFreeCells + kCellsPerByte * text_.size();
    std::uint64_t total = 0;
    if (__builtin_mul_overflow(static_cast<std::uint64_t>(table_.rows), static_cast<std::uint64_t>(table_.columns),
                               &total) ||
        total > allowed) {
      return Fail(ErrorId::kDataBadFormat, fmt::format("{}: too sparse: {} rows of {} columns are held in full here",
                                                       name_, table_.rows, table_.columns));
    }
    table_.features.resize(static_cast<std::size_t>(total));
    for (const Cell& cell : cells_) {
      table_.features[static_cast<std::size_t>(cell.row * table_.columns + cell.column)] = cell.value;
    }
    for (std::int64_t i = 0; i < table_.columns; ++i) table_.feature_names.push_back(fmt::format("x{}", i + 1));
    if (source_.task == api::DataTask::kClassification) classes_.Finish(table_);
    return NotEmpty(std::move(table_), name_);
  }

  std::string_view text_;
  const DataSource& source_;
  std::string_view name_;
  std::int64_t line_ = 0;
  ClassNumbers classes_;
  std::vector<Cell> cells_;
  Table table_;
};

}  // namespace

Result<Table> ParseLibsvm(std::string_view text, const DataSource& source, std::string_view name) {
  return Reader(text, source, name).Read();
}

}  // namespace ote::learn
