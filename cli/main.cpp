// `ote`: fills a Context with this process's streams, clock and environment, and runs one command.
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "cli/frame/run.h"
#include "cli/tree.h"
#include "crypto/secret.h"

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  // A reader that goes away (| head) is an error of the stream, not a signal.
  std::signal(SIGPIPE, SIG_IGN);
  ote::crypto::HideMemory();

  const ote::SystemClock clock;
  ote::cli::Context context{
      .in = std::cin, .out = std::cout, .err = std::cerr, .clock = clock, .env = {}, .program = {}, .folder = {}};
  context.env = [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  std::error_code ignored;
  context.program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  context.folder = std::filesystem::current_path(ignored);
  context.uid = ::geteuid();
  context.in_terminal = ::isatty(STDIN_FILENO) == 1;
  context.out_terminal = ::isatty(STDOUT_FILENO) == 1;
  context.err_terminal = ::isatty(STDERR_FILENO) == 1;
  winsize size{};
  if (context.err_terminal && ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    context.columns = size.ws_col;
  }
  return ote::cli::RunCommand(ote::cli::MakeTree(), std::vector<std::string>(argv + 1, argv + argc), context);
}
