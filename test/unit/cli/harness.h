// A command run without a process: streams are strings, the environment is a map, the clock is fake.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "cli/frame/run.h"
#include "cli/tree.h"

namespace ote::cli {

struct Outcome {
  int status = -1;
  std::string out;
  std::string err;
};

class Harness {
 public:
  Harness() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ote-cli-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    env["OTE_HOME"] = (folder_ / "home").string();
  }
  ~Harness() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Harness(const Harness&) = delete;
  Harness& operator=(const Harness&) = delete;

  const std::filesystem::path& folder() const { return folder_; }

  Outcome Run(const std::vector<std::string>& args) { return Run(MakeTree(), args); }
  Outcome Run(const Command& root, const std::vector<std::string>& args) {
    std::istringstream in(input);
    std::ostringstream out;
    std::ostringstream err;
    Context context{.in = in, .out = out, .err = err, .clock = clock, .env = {}, .program = {}, .folder = folder_};
    context.env = [this](const std::string& name) {
      const auto found = env.find(name);
      return found == env.end() ? std::nullopt : std::optional<std::string>(found->second);
    };
    context.in_terminal = terminal;
    context.err_terminal = terminal;
    Outcome outcome;
    outcome.status = RunCommand(root, args, context);
    outcome.out = out.str();
    outcome.err = err.str();
    return outcome;
  }

  std::map<std::string, std::string> env;
  std::string input;
  bool terminal = false;
  FakeClock clock;

 private:
  std::filesystem::path folder_;
};

}  // namespace ote::cli
