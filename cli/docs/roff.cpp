#include "cli/docs/roff.h"

#include <fmt/format.h>

#include <sstream>

namespace ote::cli {
namespace {

enum class Block { kNone, kText, kCode };

// Ends a block of code, so that text is filled again.
void Leave(std::string& out, Block& block) {
  if (block == Block::kCode) out += ".EE\n.RE\n";
  block = Block::kNone;
}

}  // namespace

std::string Escape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto lead = static_cast<unsigned char>(c);
    if (lead >= 0xC0) {
      // A character beyond ASCII, by its number: the page reads the same in every locale.
      const std::size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
      std::uint32_t code = lead & (0x3FU >> more);
      for (std::size_t k = 0; k < more && i + 1 < text.size(); ++k) {
        code = (code << 6U) | (static_cast<unsigned char>(text[++i]) & 0x3FU);
      }
      out += fmt::format("\\[u{:04X}]", code);
    } else if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  if (!out.empty() && (out[0] == '.' || out[0] == '\'')) out.insert(0, "\\&");
  return out;
}

std::string Inline(std::string_view text) {
  std::string out;
  bool bold = false;
  while (!text.empty()) {
    const std::size_t tick = text.find('`');
    std::string part = Escape(text.substr(0, tick));
    if (!out.empty() && part.starts_with("\\&")) part.erase(0, 2);
    out += part;
    if (tick == std::string_view::npos) break;
    out += bold ? "\\fR" : "\\fB";
    bold = !bold;
    text.remove_prefix(tick + 1);
  }
  return out;
}

std::string FromMarkup(std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::string out;
  Block block = Block::kNone;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("    ")) {
      if (block != Block::kCode) {
        Leave(out, block);
        out += ".RS 4\n.EX\n";
        block = Block::kCode;
      }
      out += Escape(std::string_view(line).substr(4)) + "\n";
      continue;
    }
    if (block == Block::kCode) Leave(out, block);
    const std::size_t term = line.find(" :: ");
    if (line.empty()) {
      block = Block::kNone;
    } else if (line.starts_with("## ")) {
      out += ".SS " + Escape(std::string_view(line).substr(3)) + "\n";
    } else if (line.starts_with("# ")) {
      out += ".SH " + Escape(std::string_view(line).substr(2)) + "\n";
    } else if (line.starts_with("- ")) {
      out += ".IP \\(bu 2\n" + Inline(std::string_view(line).substr(2)) + "\n";
      block = Block::kText;
    } else if (term != std::string::npos) {
      out += ".TP\n" + Inline(line.substr(0, term)) + "\n" + Inline(line.substr(term + 4)) + "\n";
      block = Block::kText;
    } else {
      if (block == Block::kNone) out += ".PP\n";
      out += Inline(line) + "\n";
      block = Block::kText;
    }
  }
  Leave(out, block);
  return out;
}

std::string PageHead(std::string_view page, int section, std::string_view what) {
  std::string title(page);
  for (char& c : title) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return fmt::format(
      ".\\\" Made by ote-docgen; do not edit.\n.TH {} {} \"\" \"ote\" \"ote manual\"\n.SH NAME\n{} \\- {}\n",
      Escape(title), section, Escape(page), Inline(what));
}

}  // namespace ote::cli
