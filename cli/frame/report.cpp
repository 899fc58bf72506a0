#include "cli/frame/report.h"

#include <fmt/format.h>

#include <istream>
#include <ostream>
#include <string>

#include "core/base/bytes.h"

namespace ote::cli {
namespace {

bool Colored(const Context& context) {
  if (context.flags.color != ColorMode::kAuto) return context.flags.color == ColorMode::kAlways;
  return context.err_terminal && context.Env("NO_COLOR").empty() && context.Env("TERM") != "dumb";
}

std::string Paint(const Context& context, std::string_view word, int color) {
  if (!Colored(context)) return std::string(word);
  return fmt::format("\x1b[1;{}m{}\x1b[0m", color, word);
}

void Hint(Context& context, std::string_view hint) {
  if (hint.empty()) return;
  context.err << "ote: " << Paint(context, "hint", 36) << ": " << Printable(hint) << "\n";
}

}  // namespace

std::string Printable(std::string_view text) {
  const bool whole = IsUtf8(text);
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
    if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {
      // A control character of the upper half, in two bytes.
      out.push_back('?');
      ++i;
    } else if (byte < 0x20 || byte == 0x7F || (!whole && byte >= 0x80)) {
      out.push_back('?');
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

std::string_view ExitText(Exit exit) noexcept {
  switch (exit) {
    case Exit::kDone:
      return "done";
    case Exit::kFailed:
      return "failed";
    case Exit::kUsage:
      return "usage";
    case Exit::kTimedOut:
      return "timed out, still running";
    case Exit::kRefused:
      return "refused";
    case Exit::kUnreachable:
      return "unreachable";
    case Exit::kConflict:
      return "conflict";
    case Exit::kNotFound:
      return "not found";
    case Exit::kVerification:
      return "verification failed";
    case Exit::kPartly:
      return "partly done";
    case Exit::kBug:
      return "a bug";
    case Exit::kInterrupted:
      return "interrupted";
  }
  return "failed";
}

Json ErrorDocument(const Error& error) {
  return Json{{"error",
               {{"code", error.Code()},
                {"message", error.message},
                {"hint", error.hint},
                {"exitCode", static_cast<int>(error.ExitStatus())}}}};
}

int Report(Context& context, const Error& error) {
  context.err << "ote: " << Paint(context, "error", 31) << ": " << Printable(error.message) << " [" << error.Code()
              << "]\n";
  Hint(context, error.hint);
  context.err.flush();
  if (!context.printed && context.flags.output == Format::kJson) {
    context.out << DumpJson(ErrorDocument(error), 2) << "\n";
    context.printed = true;
  } else if (!context.printed && context.flags.output == Format::kJsonl) {
    Json document = ErrorDocument(error);
    document["terminal"] = true;
    context.out << DumpJson(document) << "\n";
    context.printed = true;
  }
  context.out.flush();
  return static_cast<int>(error.ExitStatus());
}

void Say(Context& context, std::string_view message) {
  if (context.flags.quiet) return;
  context.err << "ote: " << Printable(message) << std::endl;
}

void Warn(Context& context, std::string_view message, std::string_view hint) {
  context.err << "ote: " << Paint(context, "warning", 33) << ": " << Printable(message) << "\n";
  Hint(context, hint);
  context.err.flush();
}

void Next(Context& context, std::string_view command) {
  if (context.flags.quiet || !context.err_terminal) return;
  context.err << "ote: next: " << command << std::endl;
}

Result<void> Confirm(Context& context, std::string_view question) {
  if (context.flags.yes) return {};
  if (!context.in_terminal) {
    return Fail(ErrorId::kNeedsConfirmation, fmt::format("{}: nobody to ask", question),
                "give --yes if that is what you want");
  }
  context.err << "ote: " << question << "? [y/N] " << std::flush;
  std::string answer;
  std::getline(context.in, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return {};
  return Fail(ErrorId::kInterrupted, "nothing was done");
}

}  // namespace ote::cli
