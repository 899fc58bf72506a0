// ote help: the same text as --help, found by words.
#include "cli/frame/help.h"

#include <ostream>

#include "cli/alone/commands.h"
#include "cli/frame/parse.h"
#include "cli/tree.h"

namespace ote::cli {
namespace {

struct HelpOptions {
  std::vector<std::string> words;
};

Result<Exit> Help(Context& context, const HelpOptions& options) {
  const Command root = MakeTree();
  OTE_TRY(const Resolved resolved, Resolve(root, options.words));
  context.out << HelpText(resolved.Last(), resolved.Words());
  return Exit::kDone;
}

}  // namespace

Command HelpCommand() {
  auto options = std::make_shared<HelpOptions>();
  Command c("help", "print the help of a command");
  c.About("The same text as --help. The manual has more: man ote, man ote-cluster-join, man 5 ote-run.");
  c.Argument("COMMAND", options->words, "the command's words; none for the list of all nouns").Optional();
  c.Completes(Names::kCommand);
  c.Example("ote help cluster join", "how to join");
  c.Example("ote help", "what there is");
  c.Does([options](Context& context) { return Help(context, *options); });
  return c;
}

}  // namespace ote::cli
