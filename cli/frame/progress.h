// Progress on standard error: one line that is rewritten on a terminal, otherwise one line per change of state.
#pragma once

#include <functional>
#include <string>

#include "cli/frame/context.h"

namespace ote::cli {

class Progress {
 public:
  explicit Progress(Context& context);
  ~Progress() { End(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  bool Animated() const noexcept { return mode_ == Mode::kAnimated; }
  // What goes on now: rewrites the animated line, and is silent otherwise.
  void Now(const std::string& text);
  // A change of state, worth a line of its own; `json` is that line with --progress json.
  void Change(const std::string& text, const Json& json);
  // Runs what writes messages of its own: they stand above the animated line.
  void Above(const std::function<void()>& write);
  // Clears the animated line.
  void End();

 private:
  enum class Mode { kAnimated, kPlain, kJson, kNone };
  Context& context_;
  Mode mode_ = Mode::kNone;
  std::string line_;
};

}  // namespace ote::cli
