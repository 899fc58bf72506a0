// How a command ends: the one place where errors become messages and exit statuses.
#pragma once

#include <string>
#include <string_view>

#include "cli/frame/context.h"
#include "core/base/result.h"

namespace ote::cli {

// Writes `ote: error: …` and `ote: hint: …` to standard error and, with -o json or jsonl, the error document to
// standard output unless a document is there already. Returns the process's exit status.
int Report(Context& context, const Error& error);

// `text` as it may be shown on a terminal: control characters, and what is not UTF-8, become question marks. What files
// and peers hold may stand in messages, and must not steer the terminal.
std::string Printable(std::string_view text);

// {"error":{"code","message","hint","exitCode"}}
Json ErrorDocument(const Error& error);

// What an exit status means, in few words: "unreachable".
std::string_view ExitText(Exit exit) noexcept;

// Messages on standard error; silent with --quiet.
void Say(Context& context, std::string_view message);  // ote: …
// ote: warning: …, and ote: hint: … when there is one; with --quiet too.
void Warn(Context& context, std::string_view message, std::string_view hint = {});
// The next command to run: on a terminal only.
void Next(Context& context, std::string_view command);

// Asks on a terminal before something is lost. --yes answers; kNeedsConfirmation without a terminal; kInterrupted when
// the answer is no.
Result<void> Confirm(Context& context, std::string_view question);

}  // namespace ote::cli
