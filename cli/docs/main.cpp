// ote-docgen SOURCE OUT: makes section 1 of the manual and the completion scripts from the command tree and the prose
// in SOURCE/man/src, into OUT/man and OUT/completions. The pages of sections 5, 7 and 8 are written by hand; that of
// the run file must name each field. Run it with the source folder for both after a change of a command.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <sstream>

#include "cli/docs/completions.h"
#include "cli/docs/man.h"
#include "cli/tree.h"
#include "core/base/files.h"

namespace {

using namespace ote;
namespace fs = std::filesystem;

Result<void> Write(const fs::path& path, const std::string& text) {
  return WriteFileAtomic(path, AsBytes(text), 0644, Durability::kBestEffort);
}

// Replaces the lines that are a mark, "@exits@", by what stands for it.
Result<std::string> FillIn(const std::string& prose, const cli::Command& root) {
  std::istringstream lines(prose);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    if (line == "@exits@") {
      line = cli::ExitStatusMarkup();
    } else if (line == "@flags@") {
      line = cli::CommonFlagsMarkup();
    } else if (line == "@commands@") {
      line = cli::CommandListMarkup(root);
    } else if (line == "@errors@") {
      line = cli::ErrorListMarkup();
    }
    out += line + "\n";
  }
  return out;
}

Result<void> Generate(const fs::path& source, const fs::path& out) {
  const cli::Command root = cli::MakeTree();
  const fs::path prose = source / "man" / "src";
  OTE_CHECK(MakeFolder(out / "man"));
  OTE_CHECK(MakeFolder(out / "completions"));
  Result<void> written{};
  cli::ForEachCommand(root, [&](const std::string& words, const cli::Command& command) {
    if (!written) return;
    const std::string name = cli::PageName(words);
    std::string more;
    std::error_code ignored;
    if (fs::exists(prose / (name + ".1.txt"), ignored)) {
      auto text = ReadTextFile(prose / (name + ".1.txt"));
      auto filled = text ? FillIn(*text, root) : std::move(text);
      if (!filled) {
        written = Fail(filled.error());
        return;
      }
      more = *filled;
    }
    written = Write(out / "man" / (name + ".1"), cli::CommandPage(command, words, more));
  });
  OTE_CHECK(written);
  OTE_TRY(const std::string run_page, ReadTextFile(source / "man" / "ote-run.5"));
  OTE_CHECK(cli::CheckRunFields(run_page));
  OTE_CHECK(Write(out / "completions" / "ote.bash", cli::BashCompletion(root)));
  OTE_CHECK(Write(out / "completions" / "_ote", cli::ZshCompletion(root)));
  return Write(out / "completions" / "ote.fish", cli::FishCompletion(root));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: ote-docgen SOURCE OUT\n", stderr);
    return 2;
  }
  if (const auto done = Generate(argv[1], argv[2]); !done) {
    std::fprintf(stderr, "ote-docgen: error: %s [%s]\n", done.error().message.c_str(), done.error().Code().c_str());
    return 1;
  }
  return 0;
}
