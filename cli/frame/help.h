// What --help prints.
#pragma once

#include <string>

#include "cli/frame/command.h"

namespace ote::cli {

// `words` is the whole command, "ote cluster join".
std::string HelpText(const Command& command, const std::string& words);
// "ote cluster join TOKEN --name NAME [flags]"
std::string UsageLine(const Command& command, const std::string& words);
// "-f, --file FILE"
std::string ParameterLabel(const Parameter& parameter);
// The help of a flag with its choices and its default.
std::string ParameterText(const Parameter& parameter);
// `text` in lines of at most `width` columns, each after `indent` spaces.
std::string Wrap(const std::string& text, std::size_t indent, std::size_t width);

}  // namespace ote::cli
