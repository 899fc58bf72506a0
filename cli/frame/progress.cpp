#include "cli/frame/progress.h"

#include <algorithm>
#include <ostream>

#include "cli/frame/report.h"

namespace ote::cli {

Progress::Progress(Context& context) : context_(context) {
  switch (context.flags.progress) {
    case ProgressMode::kAuto:
      if (context.flags.quiet) break;
      mode_ = context.err_terminal && context.Env("TERM") != "dumb" ? Mode::kAnimated : Mode::kPlain;
      break;
    case ProgressMode::kPlain:
      mode_ = Mode::kPlain;
      break;
    case ProgressMode::kJson:
      mode_ = Mode::kJson;
      break;
    case ProgressMode::kNone:
      break;
  }
}

void Progress::Now(const std::string& text) {
  if (mode_ != Mode::kAnimated) return;
  const std::string shown = Printable(text);
  std::string line = shown.substr(0, static_cast<std::size_t>(std::max(context_.columns - 1, 20)));
  // Cut within a character of several bytes: take all of it away.
  while (line.size() < shown.size() && !line.empty() &&
         (static_cast<unsigned char>(shown[line.size()]) & 0xC0U) == 0x80U) {
    line.pop_back();
  }
  if (line == line_) return;
  line_ = line;
  context_.err << "\r\x1b[K" << line_ << std::flush;
}

void Progress::Change(const std::string& text, const Json& json) {
  if (mode_ == Mode::kPlain) context_.err << Printable(text) << std::endl;
  if (mode_ == Mode::kJson) context_.err << DumpJson(json) << std::endl;
  if (mode_ == Mode::kAnimated) {
    Above([&] { context_.err << Printable(text) << "\n"; });
  }
}

void Progress::Above(const std::function<void()>& write) {
  const std::string line = line_;
  End();
  write();
  if (!line.empty()) Now(line);
}

void Progress::End() {
  if (mode_ == Mode::kAnimated && !line_.empty()) context_.err << "\r\x1b[K" << std::flush;
  line_.clear();
}

}  // namespace ote::cli
