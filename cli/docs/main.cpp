// ote-docgen SOURCE OUT: makes the manual pages and completion scripts from the command tree and the prose in
// SOURCE/man/src, into OUT/man and OUT/completions. A page of sections 5, 7 or 8 in SOURCE/man that was written by hand
// is left alone. Run it with the source folder for both after a change of a command.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <sstream>

#include "cli/docs/completions.h"
#include "cli/docs/man.h"
#include "cli/docs/roff.h"
#include "cli/tree.h"
#include "core/base/files.h"

namespace {

using namespace ote;
namespace fs = std::filesystem;

struct Page {
  const char* name;
  int section;
  const char* what;
};
constexpr Page kProsePages[] = {
    {"ote-run", 5, "the run file: what is trained, on which clusters, and how"},
    {"ote-protocol", 7, "what travels between ote and its agents"},
    {"ote-security", 7, "what ote protects, against whom, and what it does not"},
    {"ote-agent", 8, "the cluster controller, the same program at every tier"},
};

Result<void> Write(const fs::path& path, const std::string& text) {
  return WriteFileAtomic(path, AsBytes(text), 0644, Durability::kBestEffort);
}

// Replaces the lines that are a mark, "@exits@", by what stands for it.
Result<std::string> FillIn(const std::string& prose, const cli::Command& root, const fs::path& source) {
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
    } else if (line == "@run-fields@") {
      OTE_TRY(const std::string texts, ReadTextFile(source / "run-fields.txt"));
      OTE_TRY(line, cli::RunFieldsMarkup(texts));
    }
    out += line + "\n";
  }
  return out;
}

// Whether a person wrote the page in the tree: it is left alone then, and not made.
bool WrittenByHand(const fs::path& page) {
  const auto text = ReadTextFile(page, 1 << 20);
  return text && text->find("Made by ote-docgen") == std::string::npos;
}

// A page of sections 5, 7 and 8. The one about the run file must name each field, whoever wrote it.
Result<void> WriteProsePage(const Page& page, const cli::Command& root, const fs::path& source, const fs::path& out) {
  const std::string name = fmt::format("{}.{}", page.name, page.section);
  const fs::path there = source / "man" / name;
  if (WrittenByHand(there)) {
    if (std::string_view(page.name) != "ote-run") return {};
    OTE_TRY(const std::string text, ReadTextFile(there));
    return cli::CheckRunFields(text);
  }
  OTE_TRY(const std::string text, ReadTextFile(source / "man" / "src" / (name + ".txt")));
  OTE_TRY(const std::string filled, FillIn(text, root, source / "man" / "src"));
  return Write(out / "man" / name, cli::PageHead(page.name, page.section, page.what) + cli::FromMarkup(filled));
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
      auto filled = text ? FillIn(*text, root, prose) : std::move(text);
      if (!filled) {
        written = Fail(filled.error());
        return;
      }
      more = *filled;
    }
    written = Write(out / "man" / (name + ".1"), cli::CommandPage(command, words, more));
  });
  OTE_CHECK(written);
  for (const Page& page : kProsePages) OTE_CHECK(WriteProsePage(page, root, source, out));
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
