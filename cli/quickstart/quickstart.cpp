#include "cli/quickstart/quickstart.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>
#include <set>

#include "cli/frame/output.h"
#include "cli/frame/share.h"
#include "cli/quickstart/steps.h"
#include "cli/report/page.h"
#include "core/base/files.h"

namespace ote::cli {
namespace {

const std::vector<std::string> kSites = {"clinic-a", "clinic-b", "clinic-c"};
constexpr const char* kDirichlet = "0.3";
constexpr const char* kTestFraction = "0.25";

std::string RunFile(const QuickstartOptions& options) {
  return fmt::format(R"(# One model, trained where the data is. `man 5 ote-run` explains every field.
dataset: digits
model:
  kind: mlp
  hidden: [64]
  inputScale: 0.0625   # the pixels are 0 to 16
training:
  optimizer: sgd
  learningRate: 0.1
  momentum: 0.9
  batchSize: 16
  epochs: 2
sites:
  minimum: 3
  deadline: 60s
rounds: {}
seed: {}
)",
                     options.rounds, options.seed);
}

// One quickstart: the folder, the agents in it, and their end.
class Session {
 public:
  Session(Context& context, const QuickstartOptions& options, std::stop_token stop)
      : context_(context),
        options_(options),
        stop_(std::move(stop)),
        folder_(ChooseFolder()),
        steps_(context, folder_, stop_) {}
  ~Session() {
    if (!options_.keep) CleanUp();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Result<QuickstartResult> Run();

 private:
  std::filesystem::path ChooseFolder() const;
  void Tell(const std::string& text) {
    if (!context_.flags.quiet) context_.err << "\n# " << text << std::endl;
  }
  Result<void> Prepare();
  Result<void> StartTree();
  Result<void> Train();
  Result<void> Compare();
  Result<double> Evaluate(const std::string& model);
  Result<AloneSite> TrainAlone(const std::string& name, const std::string& file);
  Result<void> WriteReport();
  void CleanUp();

  Context& context_;
  QuickstartOptions options_;
  std::stop_token stop_;
  std::filesystem::path folder_;
  Steps steps_;
  QuickstartResult result_;
};

// Whether a quickstart that was kept, or something else of the user's, is in there: all that one leaves is its report.
bool InUse(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) return false;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().filename() != "report.html") return true;
  }
  return static_cast<bool>(error);
}

std::filesystem::path Session::ChooseFolder() const {
  const auto wanted = context_.Absolute(options_.folder);
  auto folder = wanted;
  for (int i = 2; InUse(folder) && i < 1000; ++i) folder = wanted.string() + "-" + std::to_string(i);
  return folder;
}

Result<void> Session::Prepare() {
  OTE_CHECK(MakeFolder(folder_, 0700));
  OTE_TRY(const auto sample, FindShared(context_, "samples/digits.csv"));
  if (!context_.flags.quiet) context_.err << "# Everything happens in " << folder_.string() << std::endl;
  Tell("Split 1,797 images of digits over three clinics, unevenly; keep a quarter apart to test on");
  OTE_CHECK(steps_.Run({"data", "split", sample.string(), "--label", "digit", "--parts", std::to_string(kSites.size()),
                        "--dirichlet", kDirichlet, "--seed", std::to_string(options_.seed), "--test-fraction",
                        kTestFraction, "--names", Join(kSites), "--out", "data", "-q"}));
  return {};
}

Result<void> Session::StartTree() {
  Tell("A root, and three edge clusters that join it with one token each");
  OTE_CHECK(
      steps_.Run({"cluster", "init", "hq", "--listen", "tcp://127.0.0.1:0", "--state", "hq", "--heartbeat", "1s"}));
  for (const auto& site : kSites) {
    OTE_TRY(auto token, steps_.Run({"cluster", "token", "create", "--state", "hq", "-q"}));
    OTE_CHECK(
        steps_.Run({"cluster", "join", "-", "--name", site, "--state", site}, token,
                   fmt::format("ote cluster join - --name {0} --state {0}   # the token on standard input", site)));
    std::fill(token.begin(), token.end(), '\0');
    OTE_CHECK(steps_.Run({"data", "add", "digits", "--path", fmt::format("data/{}.csv", site), "--label", "digit",
                          "--test-fraction", "0.1", "--state", site}));
  }
  return {};
}

Result<double> Session::Evaluate(const std::string& model) {
  OTE_TRY(const auto text, steps_.Run({"model", "evaluate", model, "--data", "data/test.csv", "--label", "digit",
                                       "--state", "hq", "-o", "json"}));
  OTE_TRY(const auto json, ParseJson(text, "ote model evaluate"));
  const auto metrics = json.value("metrics", Json::object());
  if (!metrics.contains("accuracy")) return Fail(ErrorId::kInternal, "ote model evaluate gave no accuracy");
  result_.test_rows = metrics.value("rows", std::int64_t{0});
  return metrics["accuracy"].get<double>();
}

Result<void> Session::Train() {
  OTE_CHECK(WriteFileAtomic(folder_ / "run.yaml", AsBytes(RunFile(options_)), 0644, Durability::kBestEffort));
  Tell(fmt::format("Train one model over the three, {} rounds; the rows stay where they are", options_.rounds));
  OTE_TRY(const auto text, steps_.Run({"fl", "run", "-f", "run.yaml", "--state", "hq", "-o", "json"}));
  OTE_TRY(const auto json, ParseJson(text, "ote fl run"));
  OTE_TRY(result_.run, FromWire<api::Run>(json));
  OTE_TRY(result_.federated_accuracy, Evaluate(result_.run.id));
  return {};
}

Result<AloneSite> Session::TrainAlone(const std::string& name, const std::string& file) {
  const std::string model = fmt::format("{}.safetensors", name);
  OTE_TRY(const auto text, steps_.Run({"fl", "simulate", "-f", "run.yaml", "--data", file, "--label", "digit",
                                       "--sites", "1", "--save", model, "-o", "json", "--progress", "none"}));
  OTE_TRY(const auto json, ParseJson(text, "ote fl simulate"));
  OTE_TRY(const auto run, FromWire<api::Run>(json));
  AloneSite site{name, 0, 0};
  if (!run.rounds.empty()) {
    for (const auto& part : run.rounds.front().sites) site.rows += part.examples;
  }
  OTE_TRY(site.accuracy, Evaluate(model));
  return site;
}

Result<void> Session::Compare() {
  Tell("For comparison: each clinic trained alone, and all rows in one place, which real life does not allow");
  for (const auto& site : kSites) {
    OTE_TRY(auto alone, TrainAlone(site, fmt::format("data/{}.csv", site)));
    result_.sites.push_back(std::move(alone));
  }
  // The pooled rows, put together from the parts: one header, then everybody's rows.
  std::string pooled;
  for (const auto& site : kSites) {
    OTE_TRY(const auto part, ReadTextFile(folder_ / "data" / (site + ".csv")));
    pooled += pooled.empty() ? part : part.substr(part.find('\n') + 1);
  }
  OTE_CHECK(WriteFileAtomic(folder_ / "data" / "pooled.csv", AsBytes(pooled), 0600, Durability::kBestEffort));
  OTE_TRY(const auto all, TrainAlone("pooled", "data/pooled.csv"));
  result_.pooled_accuracy = all.accuracy;
  return {};
}

Result<void> Session::WriteReport() {
  ReportInput input;
  input.title = "One model, three clinics";
  input.note = fmt::format(
      "Handwritten digits, split unevenly (Dirichlet {}) over three clusters; all models measured on the same {} test "
      "rows.",
      kDirichlet, result_.test_rows);
  input.run = result_.run;
  std::int64_t rows = 0;
  for (const auto& site : result_.sites) {
    input.comparisons.push_back({site.name + " alone", site.rows, site.accuracy, false});
    rows += site.rows;
  }
  input.comparisons.push_back({"federated", rows, result_.federated_accuracy, true});
  input.comparisons.push_back({"all rows pooled", rows, result_.pooled_accuracy, false});
  result_.report = folder_ / "report.html";
  return WriteFileAtomic(result_.report, AsBytes(RenderReport(input)), 0644, Durability::kBestEffort);
}

Result<QuickstartResult> Session::Run() {
  const auto begun = context_.clock.SteadyNow();
  OTE_CHECK(Prepare());
  OTE_CHECK(StartTree());
  OTE_CHECK(Train());
  OTE_CHECK(Compare());
  OTE_CHECK(WriteReport());
  result_.seconds = static_cast<double>((context_.clock.SteadyNow() - begun).count()) / 1000;
  return result_;
}

void Session::CleanUp() {
  for (const auto& site : kSites) steps_.RunQuietly({"cluster", "stop", "--state", site, "--force"});
  steps_.RunQuietly({"cluster", "stop", "--state", "hq", "--force"});
  // Only what was made here: the folder may be one that the user named.
  std::error_code ignored;
  std::set<std::string> made{"hq", "home", "data", "run.yaml", "pooled.safetensors"};
  for (const auto& site : kSites) made.insert({site, site + ".safetensors"});
  for (const auto& name : made) std::filesystem::remove_all(folder_ / name, ignored);
  if (result_.report.empty()) std::filesystem::remove(folder_, ignored);
}

}  // namespace

Result<QuickstartResult> RunQuickstart(Context& context, const QuickstartOptions& options, std::stop_token stop) {
  Session session(context, options, std::move(stop));
  return session.Run();
}

}  // namespace ote::cli
