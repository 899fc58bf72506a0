// Manual pages in the man(7) macros, from a small markup.
#pragma once

#include <string>
#include <string_view>

namespace ote::cli {

// `text` with what roff would take for its own escaped: backslashes, a leading dot or quote, hyphens.
std::string Escape(std::string_view text);
// The same, with `code` in bold.
std::string Inline(std::string_view text);

// Our markup, line by line: "# heading", "## subheading", "- item", "term :: what it is" for a list of terms, four
// spaces in front of a line that stands as it is, an empty line between paragraphs.
std::string FromMarkup(std::string_view text);

// .TH and the NAME section. `page` is "ote-run", `what` one line.
std::string PageHead(std::string_view page, int section, std::string_view what);

}  // namespace ote::cli
