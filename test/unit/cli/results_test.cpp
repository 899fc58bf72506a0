// Runs that were made up: what the verbs that show results make of them.
#include <catch2/catch.hpp>
#include <sstream>

#include "cli/fl/failures.h"
#include "cli/fl/show_run.h"
#include "cli/report/compare.h"
#include "cli/report/history.h"
#include "cli/report/page.h"

using namespace ote;
using cli::HistoryOf;

namespace {

api::RoundSite SiteOf(const std::string& name, double accuracy) {
  api::RoundSite site;
  site.name = name;
  site.examples = 10;
  site.train_loss = 0.5;
  site.metrics.rows = 5;
  site.metrics.accuracy = accuracy;
  site.phases = {0.01, 0.02, 0.03, 0.04, 0.4};
  site.seconds = 0.5;
  site.bytes_up = 100;
  return site;
}

api::Run RunOf(std::int64_t rounds, std::int64_t sites) {
  api::Run run;
  run.id = "run-1";
  run.status = api::RunStatus::kFinished;
  run.spec.name = "first";
  run.spec.dataset = "digits";
  run.spec.rounds = rounds;
  for (std::int64_t r = 1; r <= rounds; ++r) {
    api::Round round;
    round.round = r;
    for (std::int64_t s = 0; s < sites; ++s) {
      const std::string name = "site-" + std::to_string(1000 + s);
      round.participants.push_back(name);
      round.sites.push_back(SiteOf(name, 0.5 + 0.4 * static_cast<double>(r) / static_cast<double>(rounds)));
    }
    round.metrics.accuracy = 0.5 + 0.4 * static_cast<double>(r) / static_cast<double>(rounds);
    round.seconds = 1;
    round.bytes_up = 100 * sites;
    run.metrics = round.metrics;
    run.rounds.push_back(std::move(round));
  }
  run.model.digest = "blake2b:0123456789abcdef";
  return run;
}

api::SiteFailure Lost(const std::string& name) {
  return {name, "prepare", "OTE-E0201", "<data> is gone\x1b[2J", "ote data add"};
}

// Streams as a terminal would get them.
struct Told {
  explicit Told(cli::ProgressMode mode) { context.flags.progress = mode; }
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  FakeClock clock;
  cli::Context context{.in = in, .out = out, .err = err, .clock = clock, .env = {}, .program = {}, .folder = "/"};
};

std::size_t Count(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

}  // namespace

TEST_CASE("a failing site is told once a cause, whatever the progress, and counted at the end") {
  const auto mode = GENERATE(cli::ProgressMode::kPlain, cli::ProgressMode::kJson, cli::ProgressMode::kNone);
  Told told(mode);
  cli::Progress progress(told.context);
  cli::FailureTeller teller(told.context, progress, "run-1");
  api::RunEvent event;
  event.kind = "site-failed";
  event.cluster = "clinic-b";
  event.phase = "train";
  event.code = "OTE-E0312";
  event.message = "the loss is not finite\x1b[2J";
  event.hint = "a smaller learning rate";
  for (int round = 1; round <= 3; ++round) {
    event.round = round;
    teller.Take(event);
  }
  CHECK(told.err.str() ==
        "ote: warning: clinic-b: train: the loss is not finite?[2J [OTE-E0312]\n"
        "ote: hint: a smaller learning rate\n");
  teller.Count();
  CHECK(told.err.str().find("clinic-b: 3 times: train: the loss is not finite?[2J [OTE-E0312]") != std::string::npos);
}

TEST_CASE("a warning stands above the animated line, which is drawn again") {
  Told told(cli::ProgressMode::kAuto);
  told.context.err_terminal = true;
  cli::Progress progress(told.context);
  progress.Now("round 1/3");
  cli::FailureTeller teller(told.context, progress, "run-1");
  api::RunEvent event;
  event.kind = "update-refused";
  event.cluster = "clinic-b";
  event.message = "no such digest";
  teller.Take(event);
  const std::string err = told.err.str();
  const auto warning = err.find("clinic-b: update refused: no such digest\n");
  REQUIRE(warning != std::string::npos);
  CHECK(err.find("\r\x1b[Kround 1/3", warning) != std::string::npos);
}

TEST_CASE("a site that fails in ever new ways does not fill the screen") {
  Told told(cli::ProgressMode::kNone);
  cli::Progress progress(told.context);
  cli::FailureTeller teller(told.context, progress, "run-1");
  api::RunEvent event;
  event.kind = "site-failed";
  event.cluster = "clinic-b";
  for (int i = 0; i < 100; ++i) {
    event.message = "cause " + std::to_string(i);
    teller.Take(event);
  }
  CHECK(Count(told.err.str(), "warning") == 4);
  teller.Count();
  CHECK(told.err.str().find("clinic-b: 96 more failures of other causes") != std::string::npos);
}

TEST_CASE("show lists failures by site, and personal models, staleness and trainers where there are any") {
  api::Run run = RunOf(2, 2);
  CHECK(cli::RunText(run, 0).find("PERSONAL") == std::string::npos);
  for (api::Round& round : run.rounds) round.failed.push_back(Lost("clinic-b"));
  run.rounds[1].sites[0].personal.accuracy = 0.97;
  run.rounds[1].sites[0].staleness = 3;
  run.rounds[1].sites[0].trainer = "exec";
  run.best_round = 1;
  run.checkpoints.push_back({2, "blake2b:00112233445566778899", 10});
  run.from_digest = "blake2b:ffff";
  run.resumed = 2;
  const std::string text = cli::RunText(run, 0);
  CHECK(text.find("<data> is gone?[2J") != std::string::npos);
  CHECK(text.find("OTE-E0201") != std::string::npos);
  for (const char* part : {"PERSONAL MODEL", "accuracy 0.9700", "STALENESS", "exec", "ote data add",
                           "best round:", "round 2 (blake2b:001122334455)", "blake2b:ffff", "2 times"}) {
    INFO(part);
    CHECK(text.find(part) != std::string::npos);
  }
}

TEST_CASE("the report tells failures and their hints, and escapes them") {
  api::Run run = RunOf(3, 2);
  run.rounds[1].failed.push_back(Lost("clinic-<b>"));
  const std::string html = cli::RenderReport({"t", run, {}, ""});
  CHECK(html.find("&lt;data&gt; is gone?[2J") != std::string::npos);
  CHECK(html.find("<data>") == std::string::npos);
  CHECK(html.find("<b>") == std::string::npos);
  CHECK(html.find("OTE-E0201") != std::string::npos);
  CHECK(html.find("ote data add") != std::string::npos);
  CHECK(html.find("class=\"fail\"") != std::string::npos);
  CHECK(html.find("Mean seconds of a round") != std::string::npos);
}

TEST_CASE("a run of nothing, and one without measures, still has a report") {
  CHECK(cli::RenderReport({"t", api::Run{}, {}, ""}).find("No model was measured yet") != std::string::npos);
  api::Run run = RunOf(3, 1);
  run.metrics = {};
  for (api::Round& round : run.rounds) {
    round.metrics = {};
    round.sites.clear();
  }
  const std::string html = cli::RenderReport({"t", run, {}, ""});
  CHECK(html.find("nan") == std::string::npos);
  CHECK(html.find("</html>") != std::string::npos);
}

TEST_CASE("a run of many rounds or many sites is told in spans, and its page stays small") {
  const std::string sites = cli::RenderReport({"t", RunOf(20, 1000), {}, ""});
  CHECK(sites.find("80 % of 1000 sites") != std::string::npos);
  CHECK(sites.find("50 of 1000 sites") != std::string::npos);
  CHECK(sites.size() < 200'000);
  const std::string rounds = cli::RenderReport({"t", RunOf(1000, 3), {}, ""});
  CHECK(rounds.find("of 1000 rounds") != std::string::npos);
  CHECK(rounds.size() < 400'000);
}

TEST_CASE("runs are compared by the settings that differ, what they reached and what they cost") {
  api::Run a = RunOf(2, 2);
  api::Run b = RunOf(4, 3);
  b.id = "run-2";
  b.spec.name = "second";
  b.spec.training.learning_rate = 0.5;
  const auto differences = cli::Differences({a, b});
  REQUIRE(differences.size() == 2);
  CHECK(differences[0].setting == "rounds");
  CHECK(differences[1].setting == "training.learningRate");
  CHECK(differences[1].values == std::vector<std::string>{"0.05", "0.5"});
  const std::string text = cli::CompareTable({a, b}).Text(false);
  CHECK(text.find("best accuracy") != std::string::npos);
  CHECK(text.find("0.9000 in round 4") != std::string::npos);
  CHECK(text.find("rmse") == std::string::npos);
  const Json json = cli::CompareJson({a, b});
  CHECK(json["runs"][1]["settings"]["training.learningRate"] == 0.5);
  CHECK(json["runs"][1]["participants"] == 3);
  CHECK(json["runs"][0]["best"]["accuracy"]["round"] == 2);
  const std::string svg = cli::SvgFile(cli::CompareChart({a, b}, std::nullopt));
  CHECK(svg.find("<?xml") == 0);
  CHECK(svg.find(">second<") != std::string::npos);
}

TEST_CASE("the history has a line a round, and a line a round and site, with nothing for what was not measured") {
  api::Run run = RunOf(2, 2);
  run.rounds[1].metrics = {};
  run.rounds[1].failed.push_back({"clinic-b", "train", "OTE-E0312", "=cmd(), \"quoted\"\nand more", "never mind"});
  const auto rounds = cli::History(run, HistoryOf::kRounds);
  REQUIRE(rounds.size() == 2);
  CHECK(rounds[1]["accuracy"].is_null());
  CHECK(rounds[1]["failed"] == 1);
  const std::string csv = cli::HistoryCsv(rounds, HistoryOf::kRounds);
  CHECK(csv.rfind("run,round,participants,leftOut,failed,examples,rows,accuracy,", 0) == 0);
  CHECK(Count(csv, "\n") == 3);
  CHECK(csv.find("run-1,2,2,0,1,20,,,,,,0.5,") != std::string::npos);
  const auto sites = cli::History(run, HistoryOf::kSites);
  REQUIRE(sites.size() == 5);
  const std::string per_site = cli::HistoryCsv(sites, HistoryOf::kSites);
  CHECK(per_site.find(",train,OTE-E0312,\"'=cmd(), \"\"quoted\"\"?and more\"\n") != std::string::npos);
  for (const Json& row : sites) CHECK(row.size() == cli::HistoryColumns(HistoryOf::kSites).size());
  CHECK(cli::HistoryTable(sites, HistoryOf::kSites).Text(false).find("PERSONAL") == std::string::npos);
}
