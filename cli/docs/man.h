// The manual pages that are made from the command tree.
#pragma once

#include <string>

#include "cli/frame/command.h"
#include "core/base/result.h"

namespace ote::cli {

// "ote-cluster-join" of "ote cluster join".
std::string PageName(const std::string& words);

// Section 1. `prose`: more of it, in the markup of roff.h, put before the examples; may be empty.
std::string CommandPage(const Command& command, const std::string& words, const std::string& prose);

// For `@…@` lines in prose: the exit statuses, the common flags, the list of all commands, of all errors.
std::string ExitStatusMarkup();
std::string CommonFlagsMarkup();
std::string CommandListMarkup(const Command& root);
std::string ErrorListMarkup();

// kInternal names a field of the run file that a page in roff does not name.
Result<void> CheckRunFields(const std::string& page);

}  // namespace ote::cli
