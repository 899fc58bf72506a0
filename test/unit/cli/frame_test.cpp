#include <catch2/catch.hpp>
#include <stdexcept>

#include "cli/frame/help.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "test/unit/cli/harness.h"

namespace ote::cli {
namespace {

struct Probe {
  std::string name;
  std::vector<std::string> listen{"tcp://0.0.0.0:7440"};
  std::chrono::milliseconds ttl{3'600'000};
  std::int64_t uses = 1;
  double fraction = 1.0;
  Labels labels;
  bool force = false;
  std::optional<std::int64_t> rounds;
  std::vector<std::string> rest;
};

// A tree of one verb that keeps what it was given.
Command ProbeTree(const std::shared_ptr<Probe>& probe, std::function<Result<Exit>(Context&)> act) {
  Command verb("verb", "does it");
  verb.About("A verb for tests.");
  verb.Argument("NAME", probe->name, "a name");
  verb.Argument("REST", probe->rest, "more").Optional();
  verb.Option("--listen", "ENDPOINT", probe->listen, "where");
  verb.Option("--ttl", "DURATION", probe->ttl, "how long");
  verb.Option("--uses", "COUNT", probe->uses, "how often");
  verb.Option("--fraction", "FRACTION", probe->fraction, "how much");
  verb.Option("--rounds", "COUNT", probe->rounds, "how many").Fallback("10");
  verb.Option("--label", "KEY=VALUE", probe->labels, "labels");
  verb.Switch("-f,--force", probe->force, "whether");
  verb.Example("ote noun verb x", "an example");
  verb.Exits({Exit::kConflict});
  verb.Changes();
  verb.Does([probe, act = std::move(act)](Context& context) { return act(context); });
  Command noun("noun", "a noun");
  noun.Add(std::move(verb));
  Command root("ote", "the root");
  root.Add(std::move(noun));
  return root;
}

Command ProbeTree(const std::shared_ptr<Probe>& probe) {
  return ProbeTree(probe, [](Context&) { return Result<Exit>(Exit::kDone); });
}

TEST_CASE("flags are read into the options of their verb") {
  Harness harness;
  const auto probe = std::make_shared<Probe>();
  const Outcome done =
      harness.Run(ProbeTree(probe), {"noun", "verb", "x", "--ttl", "1h30m", "--uses=3", "--fraction", "0.25", "--label",
                                     "region=eu", "--label", "tier=edge,zone=1", "-f", "--rounds", "7", "y", "z-"});
  INFO(done.err);
  REQUIRE(done.status == 0);
  CHECK(probe->name == "x");
  CHECK(probe->rest == std::vector<std::string>{"y", "z-"});
  CHECK(probe->ttl == std::chrono::minutes(90));
  CHECK(probe->uses == 3);
  CHECK(probe->fraction == 0.25);
  CHECK(probe->labels == Labels{{"region", "eu"}, {"tier", "edge"}, {"zone", "1"}});
  CHECK(probe->force);
  CHECK(probe->rounds == 7);
  CHECK(probe->listen == std::vector<std::string>{"tcp://0.0.0.0:7440"});
}

TEST_CASE("a list that is given takes the place of the default, and may be given several times") {
  Harness harness;
  const auto probe = std::make_shared<Probe>();
  REQUIRE(harness.Run(ProbeTree(probe), {"noun", "verb", "x", "--listen", "a", "--listen", "b"}).status == 0);
  CHECK(probe->listen == std::vector<std::string>{"a", "b"});
}

TEST_CASE("a dash alone is an argument, and the common flags may stand before the verb") {
  Harness harness;
  const auto probe = std::make_shared<Probe>();
  std::string state;
  const Command tree = ProbeTree(probe, [&](Context& context) {
    state = context.flags.state;
    return Result<Exit>(Exit::kDone);
  });
  REQUIRE(harness.Run(tree, {"--state", "noun", "noun", "verb", "-"}).status == 0);
  CHECK(probe->name == "-");
  CHECK(state == "noun");
}

TEST_CASE("what is wrong on the command line is a usage error that names the nearest thing known") {
  Harness harness;
  const auto probe = std::make_shared<Probe>();
  const Command tree = ProbeTree(probe);
  const auto [args, message] = GENERATE(table<std::vector<std::string>, std::string>({
      {{"nuon"}, "ote nuon: no such command; did you mean noun? [OTE-E0002]"},
      {{"noun", "vreb"}, "ote noun vreb: no such command; did you mean verb? [OTE-E0002]"},
      {{"noun", "verb", "x", "--lisen", "y"}, "--lisen: no such flag; did you mean --listen? [OTE-E0002]"},
      {{"noun", "verb"}, "ote noun verb: NAME is missing [OTE-E0002]"},
      {{"noun", "verb", "x", "--ttl", "90"}, "--ttl: "},
      {{"noun", "verb", "x", "--uses", "many"}, "--uses: many: not a whole number [OTE-E0002]"},
      {{"noun", "verb", "x", "--label", "region"}, "--label: "},
      {{"noun", "verb", "x", "-o", "jsn"}, "did you mean json? [OTE-E0002]"},
  }));
  const Outcome done = harness.Run(tree, args);
  CHECK(done.status == 2);
  CHECK(done.out.empty());
  CHECK_THAT(done.err, Catch::Contains("ote: error: ") && Catch::Contains(message));
}

TEST_CASE("an error becomes its exit status, and one document with -o json") {
  Harness harness;
  const auto [id, status] = GENERATE(table<ErrorId, int>({{ErrorId::kFailed, 1},
                                                          {ErrorId::kTimedOut, 3},
                                                          {ErrorId::kTokenExpired, 4},
                                                          {ErrorId::kUnreachable, 5},
                                                          {ErrorId::kNameTaken, 6},
                                                          {ErrorId::kRunUnknown, 7},
                                                          {ErrorId::kSignatureInvalid, 8},
                                                          {ErrorId::kPartly, 9},
                                                          {ErrorId::kInternal, 70},
                                                          {ErrorId::kInterrupted, 130}}));
  const Command tree = ProbeTree(std::make_shared<Probe>(),
                                 [id = id](Context&) -> Result<Exit> { return Fail(id, "x: it did not", "ote try"); });
  const Outcome done = harness.Run(tree, {"noun", "verb", "x", "-o", "json"});
  CHECK(done.status == status);
  const std::string code = Error{id, "", ""}.Code();
  CHECK(done.err == "ote: error: x: it did not [" + code + "]\note: hint: ote try\n");
  const auto document = ParseJson(done.out);
  REQUIRE(document);
  CHECK(*document ==
        Json{{"error", {{"code", code}, {"message", "x: it did not"}, {"hint", "ote try"}, {"exitCode", status}}}});
}

TEST_CASE("what a file or a peer holds cannot steer the terminal") {
  CHECK(Printable("plain text, and ünïcode") == "plain text, and ünïcode");
  CHECK(Printable("a\x1b[31mred\x07\n") == "a?[31mred??");
  CHECK(Printable("c1 \xc2\x9b"
                  "2J") == "c1 ?2J");
  CHECK(Printable("not utf-8 \xff\xfe") == "not utf-8 ??");
}

TEST_CASE("a usage error with -o json is a document too") {
  Harness harness;
  const Outcome done = harness.Run(ProbeTree(std::make_shared<Probe>()), {"noun", "vreb", "-o", "json"});
  CHECK(done.status == 2);
  const auto document = ParseJson(done.out);
  REQUIRE(document);
  CHECK((*document)["error"]["code"] == "OTE-E0002");
  CHECK((*document)["error"]["exitCode"] == 2);
}

TEST_CASE("a command that printed its document and failed prints no second one") {
  Harness harness;
  const Command tree = ProbeTree(std::make_shared<Probe>(), [](Context& context) -> Result<Exit> {
    PrintOne(context, {{"id", "run-1"}}, "", "run-1");
    return Fail(ErrorId::kRunFailed, "run-1: failed");
  });
  const Outcome done = harness.Run(tree, {"noun", "verb", "x", "-o", "json"});
  CHECK(done.status == 1);
  CHECK(done.out == "{\n  \"id\": \"run-1\"\n}\n");
}

TEST_CASE("what a library throws is a bug with its exit status") {
  Harness harness;
  const Command tree =
      ProbeTree(std::make_shared<Probe>(), [](Context&) -> Result<Exit> { throw std::runtime_error("thrown"); });
  const Outcome done = harness.Run(tree, {"noun", "verb", "x"});
  CHECK(done.status == 70);
  CHECK_THAT(done.err, Catch::Contains("unexpected: thrown [OTE-E0001]"));
}

TEST_CASE("a question is asked on a terminal only, and --yes answers it") {
  Harness harness;
  const Command tree = ProbeTree(std::make_shared<Probe>(), [](Context& context) -> Result<Exit> {
    OTE_CHECK(Confirm(context, "lose it"));
    return Exit::kDone;
  });
  CHECK(harness.Run(tree, {"noun", "verb", "x"}).status == 2);
  CHECK(harness.Run(tree, {"noun", "verb", "x", "--yes"}).status == 0);
  harness.terminal = true;
  harness.input = "n\n";
  CHECK(harness.Run(tree, {"noun", "verb", "x"}).status == 130);
  harness.input = "y\n";
  const Outcome yes = harness.Run(tree, {"noun", "verb", "x"});
  CHECK(yes.status == 0);
  CHECK_THAT(yes.err, Catch::Contains("lose it? [y/N]"));
}

TEST_CASE("the help of a verb has its flags with defaults, its examples and its exit statuses") {
  Harness harness;
  const Outcome done = harness.Run(ProbeTree(std::make_shared<Probe>()), {"noun", "verb", "--help"});
  REQUIRE(done.status == 0);
  const std::string own = done.out.substr(0, done.out.find("common flags:"));
  CHECK(own ==
        "ote noun verb - does it\n\n"
        "usage: ote noun verb NAME [REST...] [flags]\n\n"
        "A verb for tests.\n\n"
        "arguments:\n"
        "  NAME     a name\n"
        "  REST...  more\n\n"
        "flags:\n"
        "  --listen ENDPOINT    where; may be given several times [default: tcp://0.0.0.0:7440]\n"
        "  --ttl DURATION       how long [default: 1h]\n"
        "  --uses COUNT         how often [default: 1]\n"
        "  --fraction FRACTION  how much [default: 1]\n"
        "  --rounds COUNT       how many [default: 10]\n"
        "  --label KEY=VALUE    labels; may be given several times\n"
        "  -f, --force          whether\n\n");
  CHECK_THAT(done.out, Catch::Contains("examples:\n  # an example\n  ote noun verb x\n"));
  CHECK_THAT(done.out, Catch::EndsWith("exit status: 0 done, 2 usage, 6 conflict\n"));
}

TEST_CASE("a table has its columns two spaces apart and shows wide ones when asked") {
  Table table({{"NAME"}, {"ROWS", false, true}, {"PATH", true}, {"WHY"}});
  table.Add({"a", "7", "/x", ""});
  table.Add({"bé", "1200", "/yy", "because"});
  CHECK(table.Text(false) == "NAME  ROWS  WHY\na        7\nbé    1200  because\n");
  CHECK(table.Text(true) == "NAME  ROWS  PATH  WHY\na        7  /x\nbé    1200  /yy   because\n");
}

TEST_CASE("a list is items, names, or lines of which the last is terminal") {
  std::istringstream in;
  std::ostringstream err;
  const FakeClock clock;
  const auto print = [&](Format format, bool quiet) {
    std::ostringstream out;
    Context context{.in = in, .out = out, .err = err, .clock = clock, .env = {}, .program = {}, .folder = {}};
    context.flags.output = format;
    context.flags.quiet = quiet;
    Table table({{"NAME"}});
    table.Add({"a"});
    PrintList(context, {{{"name", "a"}}}, table, {"a"});
    return out.str();
  };
  CHECK(print(Format::kTable, false) == "NAME\na\n");
  CHECK(print(Format::kTable, true) == "a\n");
  CHECK(print(Format::kName, false) == "a\n");
  CHECK(print(Format::kJsonl, false) == "{\"name\":\"a\"}\n{\"terminal\":true}\n");
  CHECK(ParseJson(print(Format::kJson, false)).value() == Json{{"items", Json::array({{{"name", "a"}}})}});
}

TEST_CASE("times are told in the largest unit that says enough") {
  const UnixMillis now = 1'700'000'000'000;
  CHECK(Ago(0, now) == "never");
  CHECK(Ago(now, now) == "0s ago");
  CHECK(Ago(now - 119'000, now) == "119s ago");
  CHECK(Ago(now - 120'000, now) == "2m ago");
  CHECK(Ago(now - 3 * 3'600'000, now) == "3h ago");
  CHECK(Ago(now - 72LL * 3'600'000, now) == "3d ago");
  CHECK(Ago(now + 3 * 3'600'000, now) == "in 3h");
}

}  // namespace
}  // namespace ote::cli
