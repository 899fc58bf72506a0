// Runs this very program, step by step, and shows each step as it would be typed.
#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cli/frame/context.h"
#include "core/base/result.h"

namespace ote::cli {

class Steps {
 public:
  // Steps run in `folder`, with OTE_HOME inside it, so that nothing of the user's own settings is read or written.
  Steps(Context& context, std::filesystem::path folder, std::stop_token stop)
      : context_(context), folder_(std::move(folder)), stop_(std::move(stop)) {}

  // Shows `ote WORDS` and runs it; returns what it printed on standard output. Its messages and its progress go to
  // standard error as they come. kFailed with the step's own exit status when it fails, kInterrupted when stopped.
  Result<std::string> Run(const std::vector<std::string>& words);
  // The same with `input` on standard input, shown as `shown`.
  Result<std::string> Run(const std::vector<std::string>& words, const std::string& input, const std::string& shown);
  // Without a word, and to its end even when stopped: for cleaning up.
  void RunQuietly(const std::vector<std::string>& words);

 private:
  enum class Mode { kStep, kCleanUp };
  Result<std::string> Spawn(const std::vector<std::string>& words, const std::string& input, Mode mode);

  Context& context_;
  std::filesystem::path folder_;
  std::stop_token stop_;
};

}  // namespace ote::cli
