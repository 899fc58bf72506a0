#include "cli/frame/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "cli/frame/report.h"
#include "core/base/units.h"

namespace ote::cli {
namespace {

std::size_t Width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string Pad(const std::string& text, std::size_t width, bool right) {
  const std::size_t have = Width(text);
  const std::string fill(width > have ? width - have : 0, ' ');
  return right ? fill + text : text + fill;
}

}  // namespace

void Table::Add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) cell = Printable(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::Text(bool wide) const {
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (wide || !columns_[i].wide) shown.push_back(i);
  }
  std::vector<std::size_t> widths(columns_.size(), 0);
  for (const std::size_t i : shown) {
    widths[i] = Width(columns_[i].title);
    for (const auto& row : rows_) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string out;
  const auto line = [&](const auto& cell) {
    std::string text;
    for (const std::size_t i : shown) {
      if (!text.empty() || i != shown.front()) text += "  ";
      text += Pad(cell(i), widths[i], columns_[i].right);
    }
    while (!text.empty() && text.back() == ' ') text.pop_back();
    out += text + "\n";
  };
  line([&](std::size_t i) { return columns_[i].title; });
  for (const auto& row : rows_) line([&](std::size_t i) { return row[i]; });
  return out;
}

std::string FactsText(const Facts& facts) {
  std::size_t widest = 0;
  for (const auto& [name, value] : facts) {
    if (!value.empty()) widest = std::max(widest, name.size());
  }
  std::string out;
  for (const auto& [name, value] : facts) {
    if (!value.empty()) out += fmt::format("{:<{}}  {}\n", name + ":", widest + 1, Printable(value));
  }
  return out;
}

void PrintOne(Context& context, const Json& json, const std::string& text, const std::string& name) {
  context.printed = true;
  const Format format = context.flags.output;
  if (format == Format::kJson) {
    context.out << DumpJson(json, 2) << "\n";
  } else if (format == Format::kJsonl) {
    PrintLine(context, json, true);
  } else if (format == Format::kYaml) {
    context.out << DumpYaml(json);
  } else if (format == Format::kName || context.flags.quiet) {
    if (!name.empty()) context.out << name << "\n";
  } else {
    context.out << text;
  }
  context.out.flush();
}

void PrintList(Context& context, const std::vector<Json>& items, const Table& table,
               const std::vector<std::string>& names) {
  context.printed = true;
  const Format format = context.flags.output;
  if (format == Format::kJson) {
    context.out << DumpJson(Json{{"items", items}}, 2) << "\n";
  } else if (format == Format::kJsonl) {
    for (const Json& item : items) PrintLine(context, item, false);
    PrintLine(context, Json::object(), true);
  } else if (format == Format::kYaml) {
    context.out << DumpYaml(Json{{"items", items}});
  } else if (format == Format::kName || context.flags.quiet) {
    for (const std::string& name : names) context.out << name << "\n";
  } else {
    context.out << table.Text(format == Format::kWide);
  }
  context.out.flush();
}

void PrintLine(Context& context, Json json, bool terminal) {
  if (terminal) json["terminal"] = true;
  context.printed = context.printed || terminal;
  context.out << DumpJson(json) << "\n" << std::flush;
}

std::string Ago(UnixMillis at, UnixMillis now) {
  if (at == 0) return "never";
  const std::int64_t seconds = (now - at) / 1000;
  const std::int64_t size = seconds < 0 ? -seconds : seconds;
  // The largest unit alone, but two of a kind before it changes: 90m, then 2h.
  std::string text;
  if (size < 120) {
    text = fmt::format("{}s", size);
  } else if (size < 120 * 60) {
    text = fmt::format("{}m", size / 60);
  } else if (size < 48 * 3600) {
    text = fmt::format("{}h", size / 3600);
  } else {
    text = fmt::format("{}d", size / 86400);
  }
  return seconds < 0 ? "in " + text : text + " ago";
}

std::string Number(double value, int digits) { return fmt::format("{:.{}f}", value, digits); }

std::string Short(const std::string& digest) {
  const std::size_t colon = digest.find(':');
  return colon == std::string::npos ? digest : digest.substr(0, colon + 13);
}

std::string Join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const std::string& part : parts) {
    if (!out.empty()) out += separator;
    out += part;
  }
  return out;
}

}  // namespace ote::cli
