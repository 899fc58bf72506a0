#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <unordered_set>

#include "core/learn/categories.h"
#include "core/learn/classes.h"
#include "core/learn/formats.h"
#include "core/learn/number.h"

namespace ote::learn {
namespace {

enum class Ends { kField, kRow, kText };
enum class Role : std::uint8_t { kNumber, kCategory, kLabel, kIgnored };

// Cuts the text into fields. A field is without the blanks around it, unless they are inside quotes.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : at_(text.data()), limit_(text.data() + text.size()) {}

  bool Done() const noexcept { return at_ == limit_; }
  // The line on which the next field begins, from 1.
  std::int64_t Line() const noexcept { return line_; }

  // The number that the next field is, when it is a plain one; false leaves all as it was.
  bool TakeNumber(float& value, Ends& ends) noexcept {
    const char* end = nullptr;
    if (ScanNumber(at_, limit_, value, end) != NumberFault::kNone) return false;
    if (end == limit_) {
      ends = Ends::kText;
      at_ = end;
      return true;
    }
    if (*end == ',') {
      ends = Ends::kField;
      at_ = end + 1;
      return true;
    }
    if (*end == '\r' && end + 1 != limit_ && end[1] == '\n') ++end;
    if (*end != '\n') return false;
    ends = Ends::kRow;
    ++line_;
    at_ = end + 1;
    return true;
  }

  // The next field; the view lives until the next call. nullptr, or why it is not one.
  const char* Take(std::string_view& field, Ends& ends) {
    const char* begin = at_;
    while (begin < limit_ && (*begin == ' ' || *begin == '\t')) ++begin;
    if (begin < limit_ && *begin == '"') {
      if (const char* why = TakeQuoted(begin + 1)) return why;
      field = held_;
    } else {
      const char* end = begin;
      while (end < limit_ && *end != ',' && *end != '\n' && *end != '\r') ++end;
      field = Trim({begin, static_cast<std::size_t>(end - begin)});
      at_ = end;
    }
    return TakeEnd(ends);
  }

 private:
  // Copies a quoted field, from behind its first quote, to held_.
  const char* TakeQuoted(const char* begin) {
    held_.clear();
    for (;;) {
      const auto* quote = static_cast<const char*>(
          begin == limit_ ? nullptr : std::memchr(begin, '"', static_cast<std::size_t>(limit_ - begin)));
      if (quote == nullptr) return "a quote that is not closed";
      held_.append(begin, quote);
      if (quote + 1 == limit_ || quote[1] != '"') {
        at_ = quote + 1;
        break;
      }
      held_ += '"';
      begin = quote + 2;
    }
    line_ += std::count(held_.begin(), held_.end(), '\n');
    while (at_ < limit_ && (*at_ == ' ' || *at_ == '\t')) ++at_;
    return nullptr;
  }

  const char* TakeEnd(Ends& ends) {
    if (at_ == limit_) {
      ends = Ends::kText;
      return nullptr;
    }
    if (*at_ == ',') {
      ends = Ends::kField;
      ++at_;
      return nullptr;
    }
    if (*at_ == '\r' && at_ + 1 != limit_ && at_[1] == '\n') ++at_;
    if (*at_ == '\r') return "a carriage return without a line feed";
    if (*at_ != '\n') return "text after the closing quote";
    ends = Ends::kRow;
    ++line_;
    ++at_;
    return nullptr;
  }

  const char* at_;
  const char* limit_;
  std::int64_t line_ = 1;
  std::string held_;
};

std::string ListOf(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 20;
  std::string list;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) list += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kShown) list += fmt::format(" and {} more", names.size() - kShown);
  return list;
}

class Reader {
 public:
  Reader(std::string_view text, const DataSource& source, std::string_view name)
      : text_(text), scanner_(text), source_(source), name_(name) {}

  Result<Table> Read() {
    OTE_CHECK(ReadHeader());
    OTE_CHECK(AssignRoles());
    Reserve();
    while (!scanner_.Done()) OTE_CHECK(ReadRow());
    for (const auto& [column, numbers] : categories_) numbers.Finish(table_, FeatureOf(column));
    if (source_.unlabeled) {
      table_.targets.assign(static_cast<std::size_t>(table_.rows), 0.0F);
    } else if (source_.task == api::DataTask::kClassification) {
      classes_.Finish(table_);
    }
    return NotEmpty(std::move(table_), name_);
  }

 private:
  tl::unexpected<Error> BadField(std::int64_t line, std::size_t column, std::string_view why,
                                 std::string hint = {}) const {
    return Fail(ErrorId::kDataBadRow,
                fmt::format("{}:{}:{}: column \"{}\": {}", name_, line, column + 1, columns_[column], why),
                std::move(hint));
  }

  Result<void> ReadHeader() {
    std::unordered_set<std::string> seen;
    Ends ends = Ends::kField;
    if (scanner_.Done()) return Fail(ErrorId::kDataBadFormat, fmt::format("{}: empty: no header line", name_));
    while (ends == Ends::kField) {
      std::string_view field;
      if (const char* why = scanner_.Take(field, ends)) {
        return Fail(ErrorId::kDataBadFormat, fmt::format("{}:1:{}: header: {}", name_, columns_.size() + 1, why));
      }
      if (!seen.emplace(field).second) {
        return Fail(ErrorId::kDataBadFormat,
                    fmt::format("{}:1:{}: header: two columns are called \"{}\"", name_, columns_.size() + 1, field));
      }
      columns_.emplace_back(field);
    }
    return {};
  }

  Result<void> AssignRoles() {
    roles_.assign(columns_.size(), Role::kNumber);
    const auto place = [&](const std::string& column) {
      return static_cast<std::size_t>(std::find(columns_.begin(), columns_.end(), column) - columns_.begin());
    };
    for (const std::string& ignored : source_.ignore) {
      const std::size_t at = place(ignored);
      if (at == columns_.size()) return NoColumn("to ignore", ignored);
      roles_[at] = Role::kIgnored;
    }
    for (const std::string& categorical : source_.categorical) {
      const std::size_t at = place(categorical);
      if (at == columns_.size()) return NoColumn("of categories", categorical);
      if (roles_[at] != Role::kNumber) return TwoRoles(categorical);
      roles_[at] = Role::kCategory;
      categories_.try_emplace(at);
    }
    if (!source_.unlabeled) {
      const std::size_t label = place(source_.label);
      if (source_.label.empty() || label == columns_.size()) return NoColumn("for the label", source_.label);
      if (roles_[label] == Role::kCategory) return TwoRoles(source_.label);
      roles_[label] = Role::kLabel;
    }
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (IsFeature(i)) table_.feature_names.push_back(columns_[i]);
    }
    if (table_.feature_names.empty()) {
      return Fail(ErrorId::kDataBadFormat, fmt::format("{}: no column is left for a feature", name_));
    }
    table_.columns = static_cast<std::int64_t>(table_.feature_names.size());
    return {};
  }

  bool IsFeature(std::size_t column) const noexcept {
    return roles_[column] == Role::kNumber || roles_[column] == Role::kCategory;
  }
  // Which feature a column of the file is.
  std::int64_t FeatureOf(std::size_t column) const noexcept {
    std::int64_t feature = 0;
    for (std::size_t i = 0; i < column; ++i) feature += IsFeature(i) ? 1 : 0;
    return feature;
  }

  tl::unexpected<Error> TwoRoles(std::string_view column) const {
    return Fail(ErrorId::kUsage,
                fmt::format("{}: column \"{}\": named twice: as one of categories, and as the label, to "
                            "ignore, or again",
                            name_, column));
  }

  tl::unexpected<Error> NoColumn(std::string_view use, std::string_view column) const {
    return Fail(ErrorId::kDataNoLabel,
                fmt::format("{}: no column \"{}\" {}: there are {}", name_, column, use, ListOf(columns_)));
  }

  // As many as there are lines, but never more than a text of this size can hold: a value takes two bytes at least.
  void Reserve() {
    const auto lines = static_cast<std::size_t>(std::count(text_.begin(), text_.end(), '\n')) + 1;
    const std::size_t most = text_.size() / 2 + 1;
    table_.targets.reserve(std::min(lines, most));
    if (lines < most / table_.feature_names.size()) table_.features.reserve(lines * table_.feature_names.size());
  }

  Result<void> ReadRow() {
    const std::int64_t row_line = scanner_.Line();
    Ends ends = Ends::kField;
    std::size_t column = 0;
    for (; column < columns_.size(); ++column) {
      if (ends != Ends::kField) {
        return Fail(ErrorId::kDataBadRow,
                    fmt::format("{}:{}:{}: column \"{}\": missing: the row has {} of {} fields", name_, row_line,
                                column + 1, columns_[column], column, columns_.size()));
      }
      float value = 0;
      if (plain_ && roles_[column] == Role::kNumber && scanner_.TakeNumber(value, ends)) {
        table_.features.push_back(value);
        continue;
      }
      const std::int64_t line = scanner_.Line();
      std::string_view field;
      if (const char* why = scanner_.Take(field, ends)) return BadField(line, column, why);
      if (column == 0 && ends != Ends::kField && field.empty() && columns_.size() > 1) {
        return Fail(ErrorId::kDataBadRow, fmt::format("{}:{}:1: an empty line", name_, line));
      }
      OTE_CHECK(Store(field, line, column));
    }
    if (ends == Ends::kField) {
      return Fail(ErrorId::kDataBadRow, fmt::format("{}:{}:{}: the row has more fields than the {} of the header",
                                                    name_, row_line, columns_.size() + 1, columns_.size()));
    }
    ++table_.rows;
    return {};
  }

  Result<void> Store(std::string_view field, std::int64_t line, std::size_t column) {
    if (roles_[column] == Role::kIgnored) return {};
    if (IsMissing(source_, field)) {
      if (roles_[column] == Role::kLabel) return BadField(line, column, "the label is missing");
      table_.features.push_back(std::numeric_limits<float>::quiet_NaN());
      return {};
    }
    if (field.empty()) return BadField(line, column, "empty", "for values that are missing give --missing");
    if (roles_[column] == Role::kCategory) return StoreCategory(field, line, column);
    if (roles_[column] == Role::kLabel && source_.task == api::DataTask::kClassification) {
      const std::optional<float> number = classes_.Number(field);
      if (!number) {
        return Fail(ErrorId::kDataBadFormat,
                    fmt::format("{}: column \"{}\": more than {} classes", name_, columns_[column], kMaxClasses),
                    "for a column of measurements give --task regression");
      }
      table_.targets.push_back(*number);
      return {};
    }
    float value = 0;
    const NumberFault fault = ParseNumber(Trim(field), value);
    if (fault != NumberFault::kNone) return BadField(line, column, Describe(fault));
    (roles_[column] == Role::kLabel ? table_.targets : table_.features).push_back(value);
    return {};
  }

  Result<void> StoreCategory(std::string_view field, std::int64_t line, std::size_t column) {
    float number = 0;
    if (const char* why = categories_.at(column).Number(field, number)) {
      return Fail(ErrorId::kTooManyCategories,
                  fmt::format("{}:{}:{}: column \"{}\": {}", name_, line, column + 1, columns_[column], why));
    }
    table_.features.push_back(number);
    return {};
  }

  // No spelling of what is missing is a number: those can be taken as they come.
  static bool SpellsNoNumber(const DataSource& source) {
    float ignored = 0;
    return !source.missing ||
           std::none_of(source.missing->begin(), source.missing->end(),
                        [&](const std::string& text) { return ParseNumber(text, ignored) == NumberFault::kNone; });
  }

  std::string_view text_;
  Scanner scanner_;
  const DataSource& source_;
  std::string_view name_;
  std::vector<std::string> columns_;
  std::vector<Role> roles_;
  bool plain_ = SpellsNoNumber(source_);
  ClassNumbers classes_;
  std::map<std::size_t, CategoryNumbers> categories_;  // by column of the file
  Table table_;
};

}  // namespace

Result<Table> ParseCsv(std::string_view text, const DataSource& source, std::string_view name) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return Reader(text, source, name).Read();
}

}  // namespace ote::learn
