// ote fl: federated runs.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cli/data/commands.h"
#include "cli/frame/command.h"
#include "core/api/run.h"

namespace ote::cli {

Command FlCommand();

Command RunCommandOfFl();
Command SimulateCommand();
Command StrategiesCommand();
Command ListRunsCommand();
Command ShowRunCommand();
Command LogsCommand();
Command WatchCommand();
Command CancelCommand();
Command ReportCommand();
Command CompareCommand();
Command MetricsCommand();
Command VerifyCommand();
Command RemoveRunCommand();
// By files, cli/by_hand.
Command ExportTaskCommand();
Command TrainTaskCommand();
Command ImportUpdateCommand();

// A selector in one piece or several, which must all hold; no text: as the file says.
struct SelectorFlag {
  std::optional<std::string> text;
  void clear() { text.reset(); }
};
inline Result<void> ReadValue(const std::string& more, SelectorFlag& out) {
  out.text = out.text ? *out.text + "," + more : more;
  return {};
}
inline std::string ShowValue(const SelectorFlag&) { return {}; }
template <>
inline constexpr bool kRepeats<SelectorFlag> = true;

// A run as its file and the flags over it say.
struct RunFlags {
  std::filesystem::path file;  // "-" for standard input; "" for flags alone
  std::optional<std::string> name;
  std::optional<std::string> model_name;
  std::optional<std::string> dataset;
  std::optional<api::DataTask> task;
  std::optional<api::ModelKind> model;
  std::optional<std::vector<std::int64_t>> hidden;
  std::optional<api::Activation> activation;
  std::optional<double> input_scale;
  std::optional<api::OptimizerKind> optimizer;
  std::optional<double> learning_rate;
  std::optional<double> momentum;
  std::optional<double> l2;
  std::optional<std::int64_t> batch_size;
  std::optional<std::int64_t> epochs;
  std::optional<api::StrategyKind> strategy;
  std::optional<api::TrainerKind> trainer;
  std::vector<std::string> clusters;
  SelectorFlag selector;
  std::optional<double> fraction;
  std::optional<std::int64_t> minimum;
  std::optional<std::chrono::milliseconds> deadline;
  std::optional<std::int64_t> rounds;
  std::optional<std::int64_t> seed;
  std::optional<std::string> from;
  std::vector<std::string> set;  // "strategy.proximal=0.1"
};
void AddRunFlags(Command& command, RunFlags& flags);
// The file's run with the flags over it, checked. `dataset` stands in where neither names one.
Result<api::RunSpec> ReadRun(Context& context, const RunFlags& flags, const std::string& dataset = {});

struct RunOptions {
  RunFlags flags;
  bool detach = false;
  std::string resume;
};
Result<Exit> RunFl(Context& context, const RunOptions& options);

struct SimulateOptions {
  RunFlags flags;
  FileOptions data;
  std::int64_t sites = 10;
  ShareOptions shares;
  double test_fraction = 0.2;
  double absent = 0;
  std::uint64_t arrival_seed = 0;
  std::filesystem::path save;
};
Result<Exit> SimulateFl(Context& context, const SimulateOptions& options);

}  // namespace ote::cli
