// ote completion: the scripts that complete commands, flags and names.
#include <ostream>

#include "cli/alone/commands.h"
#include "cli/docs/completions.h"
#include "cli/tree.h"

namespace ote::cli {
namespace {

enum class Shell { kBash, kZsh, kFish };

struct CompletionOptions {
  Shell shell = Shell::kBash;
};

}  // namespace
}  // namespace ote::cli

template <>
struct ote::EnumNames<ote::cli::Shell> {
  using E = ote::cli::Shell;
  static constexpr std::pair<E, std::string_view> kNames[] = {{E::kBash, "bash"}, {E::kZsh, "zsh"}, {E::kFish, "fish"}};
};

namespace ote::cli {
namespace {

Result<Exit> Completion(Context& context, const CompletionOptions& options) {
  const Command root = MakeTree();
  switch (options.shell) {
    case Shell::kBash:
      context.out << BashCompletion(root);
      break;
    case Shell::kZsh:
      context.out << ZshCompletion(root);
      break;
    case Shell::kFish:
      context.out << FishCompletion(root);
      break;
  }
  return Exit::kDone;
}

}  // namespace

Command CompletionCommand() {
  auto options = std::make_shared<CompletionOptions>();
  Command c("completion", "print the completion script of a shell");
  c.About(
      "The script completes commands, flags and their choices by itself, and the names of clusters, runs, data sets "
      "and models from what the list commands saw last. It asks no agent and no network.");
  c.Argument("SHELL", options->shell, "which shell");
  c.Fallback("");
  c.Example("source <(ote completion bash)", "in this shell");
  c.Example("ote completion fish > ~/.config/fish/completions/ote.fish", "for good, with fish");
  c.Does([options](Context& context) { return Completion(context, *options); });
  return c;
}

}  // namespace ote::cli
