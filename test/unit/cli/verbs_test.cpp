#include "core/api/verbs.h"

#include <catch2/catch.hpp>
#include <functional>
#include <set>

#include "cli/data/commands.h"
#include "cli/docs/completions.h"
#include "cli/docs/man.h"
#include "cli/frame/names.h"
#include "cli/frame/settings.h"
#include "core/base/files.h"
#include "test/unit/cli/harness.h"

namespace ote::cli {
namespace {

namespace fs = std::filesystem;

TEST_CASE("every command has a paragraph, two examples and, if it acts, help for each of its flags") {
  ForEachCommand(MakeTree(), [](const std::string& words, const Command& command) {
    INFO(words);
    CHECK_FALSE(command.summary().empty());
    CHECK_FALSE(command.about().empty());
    CHECK(command.examples().size() >= 2);
    std::set<std::string> children;
    for (const Command& child : command.children()) CHECK(children.insert(child.name()).second);
    std::set<std::string> names;
    for (const Parameter& p : AllFlags(command)) {
      CHECK_FALSE(p.help.empty());
      for (const std::string& name : p.names) CHECK(names.insert(name).second);
    }
    for (const Example& example : command.examples()) CHECK_THAT(example.line, Catch::Contains("ote "));
  });
}

TEST_CASE("examples of commands name flags that are there") {
  const Command root = MakeTree();
  ForEachCommand(root, [&](const std::string& words, const Command& command) {
    std::set<std::string> known;
    for (const Parameter& p : AllFlags(command)) known.insert(p.names.begin(), p.names.end());
    for (const Example& example : command.examples()) {
      const std::size_t at = example.line.find(words + " ");
      if (at == std::string::npos || !command.act()) continue;
      std::istringstream text(example.line.substr(at + words.size()));
      for (std::string word; text >> word;) {
        if (word == "|") break;
        if (word.size() < 2 || word[0] != '-') continue;
        INFO(example.line);
        CHECK(known.contains(word.substr(0, word.find('='))));
      }
    }
  });
}

TEST_CASE("explain knows a code in each of its spellings, and says when there is none") {
  Harness harness;
  for (const char* code : {"E0102", "OTE-E0102", "102"}) {
    const Outcome done = harness.Run({"explain", code});
    CHECK(done.status == 0);
    CHECK_THAT(done.out,
               Catch::StartsWith("OTE-E0102: the token has expired\n") && Catch::Contains("exit status: 4 (refused)"));
  }
  const Outcome json = harness.Run({"explain", "E0102", "-o", "json"});
  CHECK(ParseJson(json.out).value()["exitCode"] == 4);
  CHECK(harness.Run({"explain", "E9999"}).status == 7);
}

TEST_CASE("version is a document with protocol range and kernel") {
  Harness harness;
  const Outcome done = harness.Run({"version", "-o", "json"});
  REQUIRE(done.status == 0);
  const Json json = ParseJson(done.out).value();
  CHECK(json["protocol"] == Json{{"min", api::kProtocolVersion}, {"max", api::kProtocolVersion}});
  CHECK(json["kernel"].is_string());
  CHECK(json["libraries"].size() >= 6);
}

TEST_CASE("the state folder comes from flag, variable, context and default, in this order") {
  Harness harness;
  const auto shown = [&](const std::vector<std::string>& more) {
    std::vector<std::string> args{"context", "show", "-o", "json"};
    args.insert(args.end(), more.begin(), more.end());
    const Outcome done = harness.Run(args);
    REQUIRE(done.status == 0);
    const Json json = ParseJson(done.out).value();
    return json["state"].get<std::string>() + " by " + json["origin"].get<std::string>();
  };
  const std::string home = (harness.folder() / "home").string();
  CHECK(shown({}) == home + "/state by default");
  REQUIRE(MakeFolder(home));
  const std::string config = "current: hq\ncontexts:\n  hq:\n    state: /srv/hq\n  lab:\n    state: /srv/lab\n";
  REQUIRE(WriteFileAtomic(fs::path(home) / "config.yaml", AsBytes(config)));
  CHECK(shown({}) == "/srv/hq by context hq (config.yaml)");
  harness.env["OTE_CONTEXT"] = "lab";
  CHECK(shown({}) == "/srv/lab by context lab (OTE_CONTEXT)");
  harness.env["OTE_STATE"] = "/srv/variable";
  CHECK(shown({}) == "/srv/variable by OTE_STATE");
  CHECK(shown({"--context", "hq"}) == "/srv/hq by context hq (flag --context)");
  CHECK(shown({"--state", "here"}) == (harness.folder() / "here").string() + " by flag --state");
  const Outcome none = harness.Run({"context", "show", "--context", "lag"});
  CHECK(none.status == 7);
  CHECK_THAT(none.err, Catch::Contains("did you mean lab?"));
}

TEST_CASE("context use changes the current one and caches no name that is not there") {
  Harness harness;
  const fs::path home = harness.folder() / "home";
  REQUIRE(MakeFolder(home));
  REQUIRE(WriteFileAtomic(home / "config.yaml", AsBytes("contexts: {hq: {state: /srv/hq}}\n")));
  CHECK(harness.Run({"context", "use", "hq", "--dry-run"}).status == 0);
  CHECK_THAT(harness.Run({"context", "list"}).out, Catch::Contains("\n         hq"));
  CHECK(harness.Run({"context", "use", "hq"}).status == 0);
  CHECK_THAT(harness.Run({"context", "list"}).out, Catch::Contains("\n*        hq    /srv/hq\n"));
  CHECK(ReadTextFile(home / "cache" / "names").value() == "context hq\n");
}

TEST_CASE("a command about an agent says what to do where there is no membership") {
  Harness harness;
  const Outcome done = harness.Run({"cluster", "list", "-o", "json"});
  CHECK(done.status == 7);
  CHECK(ParseJson(done.out).value()["error"]["code"] == "OTE-E0117");
  CHECK_THAT(done.err, Catch::Contains("ote: hint: ote cluster init NAME, or ote cluster join TOKEN"));
}

TEST_CASE("init without a start makes a root, says when it is there, and refuses another in its place") {
  Harness harness;
  const std::vector<std::string> init{"cluster",    "init", "hq",  "--listen", "tcp://127.0.0.1:7441",
                                      "--no-start", "-o",   "json"};
  const Outcome first = harness.Run(init);
  REQUIRE(first.status == 0);
  const Json made = ParseJson(first.out).value();
  CHECK(made["role"] == "root");
  CHECK(made["already"] == false);
  CHECK(made["running"] == false);
  const Json again = ParseJson(harness.Run(init).out).value();
  CHECK(again["already"] == true);
  CHECK(again["fingerprint"] == made["fingerprint"]);
  CHECK(harness.Run({"cluster", "init", "other", "--listen", "tcp://127.0.0.1:7441", "--no-start"}).status == 6);
  CHECK(harness.Run({"cluster", "init", "hq", "--listen", "tcp://127.0.0.1:7442", "--no-start"}).status == 6);
  CHECK(harness.Run({"cluster", "init", "HQ", "--no-start"}).status == 2);
  CHECK(harness.Run({"cluster", "init", "hq2", "--listen", "nowhere", "--no-start"}).status == 2);
  const Outcome status = harness.Run({"cluster", "status", "-o", "json"});
  CHECK(status.status == 5);
  CHECK(ParseJson(status.out).value()["running"] == false);
}

TEST_CASE("a token that was mistyped is refused before anything is made") {
  Harness harness;
  harness.input = "ote1.0000000000.AAAA.BBBB\n";
  const Outcome done = harness.Run({"cluster", "join", "-", "--name", "clinic-a"});
  CHECK(done.status == 2);
  CHECK_THAT(done.err, Catch::Contains("OTE-E0101"));
  CHECK_FALSE(fs::exists(harness.folder() / "home" / "state"));
  harness.input.clear();
  CHECK_THAT(harness.Run({"cluster", "join"}).err, Catch::Contains("a token is missing"));
}

TEST_CASE("split gives every row to one part, and the common test rows to none") {
  Harness harness;
  std::string text = "id,x,y\n";
  for (int i = 0; i < 40; ++i)
    text += "\"r" + std::to_string(i) + "\"," + std::to_string(i) + ",c" + std::to_string(i % 4) + "\r\n";
  REQUIRE(WriteFileAtomic(harness.folder() / "all.csv", AsBytes(text)));
  const std::vector<std::string> split{"data", "split",   "all.csv", "--label",     "y",   "--ignore",
                                       "id",   "--parts", "3",       "--dirichlet", "0.5", "--test-fraction",
                                       "0.25", "--out",   "parts",   "-q"};
  const Outcome done = harness.Run(split);
  REQUIRE(done.status == 0);
  std::multiset<std::string> rows;
  std::istringstream files(done.out);
  std::vector<std::string> names;
  for (std::string file; std::getline(files, file);) {
    names.push_back(fs::path(file).filename());
    std::istringstream lines(ReadTextFile(file).value());
    std::string line;
    REQUIRE(std::getline(lines, line));
    CHECK(line == "id,x,y");
    std::size_t count = 0;
    while (std::getline(lines, line)) {
      rows.insert(line);
      ++count;
    }
    if (names.back() == "test.csv") CHECK(count == 10);
  }
  CHECK(names == std::vector<std::string>{"all-1.csv", "all-2.csv", "all-3.csv", "test.csv"});
  REQUIRE(rows.size() == 40);
  CHECK(std::set<std::string>(rows.begin(), rows.end()).size() == 40);
  CHECK(rows.contains("\"r7\",7,c3"));
  const std::string before = ReadTextFile(harness.folder() / "parts" / "all-2.csv").value();
  REQUIRE(harness.Run(split).status == 0);
  CHECK(ReadTextFile(harness.folder() / "parts" / "all-2.csv").value() == before);
}

TEST_CASE("a page about the run file that leaves a field out is noticed") {
  const std::string page = ReadTextFile(fs::path(OTE_SOURCE_DIR) / "man" / "ote-run.5").value();
  CHECK(CheckRunFields(page));
  std::string less = page;
  for (std::size_t at = 0; (at = less.find("batchSize", at)) != std::string::npos;) less.erase(at, 9);
  const auto missed = CheckRunFields(less);
  REQUIRE_FALSE(missed);
  CHECK_THAT(missed.error().message, Catch::StartsWith("training.batchSize: "));
}

TEST_CASE("a run file with a field that is not known names file, line and the nearest one") {
  Harness harness;
  REQUIRE(harness.Run({"cluster", "init", "hq", "--no-start"}).status == 0);
  REQUIRE(WriteFileAtomic(harness.folder() / "run.yaml", AsBytes("dataset: d\nmodel:\n  kind: mlp\n  hiden: [4]\n")));
  const Outcome done = harness.Run({"fl", "run", "-f", "run.yaml"});
  CHECK(done.status == 2);
  CHECK_THAT(done.err, Catch::Contains("run.yaml:4: ") && Catch::Contains("hidden"));
}

TEST_CASE("a selector of a run that cannot be read, or is empty, is refused with file and line, or as the flag") {
  Harness harness;
  REQUIRE(harness.Run({"cluster", "init", "hq", "--no-start"}).status == 0);
  const auto run = [&](const std::string& selector, const std::vector<std::string>& flags = {}) {
    const std::string text = "dataset: d\nmodel: {kind: softmax}\nsites:\n  minimum: 1\n  selector:" + selector + "\n";
    REQUIRE(WriteFileAtomic(harness.folder() / "run.yaml", AsBytes(text)));
    std::vector<std::string> words{"fl", "run", "-f", "run.yaml", "--dry-run"};
    words.insert(words.end(), flags.begin(), flags.end());
    return harness.Run(words);
  };
  for (const std::string bad : {" region=eu,tier", " ''", " '  '", "", " [eu]"}) {
    INFO(bad);
    const Outcome done = run(bad);
    CHECK(done.status == 2);
    CHECK_THAT(done.err, Catch::Contains("run.yaml:5: ") && Catch::Contains("selector"));
  }
  // What is right goes as far as there is an agent to ask.
  CHECK(run(" {region: eu}").status == 5);
  CHECK(run(" region in (eu,us), tier!=lab").status == 5);
  CHECK(run(" 'region='", {"-l", "region=eu", "-l", "tier notin (lab,test)"}).status == 5);
  const Outcome flag = run(" region=eu", {"--selector", "region"});
  CHECK(flag.status == 2);
  CHECK_THAT(flag.err, Catch::Contains("at column 7") && !Catch::Contains("run.yaml"));
  CHECK(run(" region=eu", {"--selector", ""}).status == 2);
}

}  // namespace
}  // namespace ote::cli
