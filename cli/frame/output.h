// Results on standard output: a table for people, or one document.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "cli/frame/context.h"
#include "core/base/result.h"

namespace ote::cli {

// Columns under capital headings, two spaces apart; the last one is not padded. Widths count code points. Cells and
// facts may come from files and peers: they are made Printable().
class Table {
 public:
  struct Column {
    std::string title;
    bool wide = false;   // shown with -o wide only
    bool right = false;  // numbers
  };
  Table() = default;
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  // As many cells as columns; fewer are filled up with "".
  void Add(std::vector<std::string> cells);
  bool empty() const noexcept { return rows_.empty(); }
  std::string Text(bool wide) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// "name:    clinic-a", aligned; those with an empty value are left out.
using Facts = std::vector<std::pair<std::string, std::string>>;
std::string FactsText(const Facts& facts);

// Prints one thing: `json` for machines, `text` for people, `names` for -q and -o name.
void PrintOne(Context& context, const Json& json, const std::string& text, const std::string& name);
// Prints {"items": […]}, a table, or names.
void PrintList(Context& context, const std::vector<Json>& items, const Table& table,
               const std::vector<std::string>& names);
// One line of a stream with -o jsonl; `terminal` marks the last.
void PrintLine(Context& context, Json json, bool terminal);

// Times, shares and digests as tables show them.
std::string Ago(UnixMillis at, UnixMillis now);    // "5m ago", "in 3h", "never"
std::string Number(double value, int digits = 4);  // "0.9731"
std::string Short(const std::string& digest);      // "blake2b:0123456789ab"
std::string Join(const std::vector<std::string>& parts, std::string_view separator = ",");

}  // namespace ote::cli
