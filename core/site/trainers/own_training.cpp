#include "core/site/trainers/own_training.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "core/base/files.h"
#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/base/units.h"
#include "core/learn/models.h"
#include "core/site/trainers/handover.h"
#include "core/site/trainers/logs.h"
#include "core/site/trainers/output.h"
#include "core/site/trainers/process.h"

namespace ote::site {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTailLines = 6;
constexpr std::size_t kTailBytes = 600;

// Gone with the object, whatever the trainer has put there.
class Scratch {
 public:
  explicit Scratch(fs::path path) : path_(std::move(path)) {}
  ~Scratch() {
    std::error_code error;
    fs::remove_all(path_, error);
    if (error) log::Warn("folder of a trainer not removed", {{"folder", path_.string()}, {"why", error.message()}});
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

 private:
  fs::path path_;
};

// Only what a program needs: what the agent was started with is none of its business.
std::vector<std::string> EnvironmentOf(const api::Trainer& trainer, const api::Task& task, const Handover& handover) {
  const auto folder = handover.folder.string();
  std::map<std::string, std::string> all = {{"PATH", std::string(kProgramPath)},
                                            {"HOME", folder},
                                            {"TMPDIR", (handover.folder / "tmp").string()},
                                            {"LANG", "C.UTF-8"},
                                            {"PYTHONUNBUFFERED", "1"},
                                            {"PYTHONDONTWRITEBYTECODE", "1"}};
  for (const auto& [name, value] : trainer.env) all[name] = value;
  for (const auto& [name, path] : handover.paths) {
    std::string variable = "OTE_";
    for (const char c : name) variable += static_cast<char>(c - 'a' + 'A');
    all[variable] = path;
  }
  all["OTE_RUN"] = task.run;
  all["OTE_ROUND"] = std::to_string(task.round);
  all["OTE_SEED"] = std::to_string(task.seed.value);
  std::vector<std::string> environment;
  for (const auto& [name, value] : all) environment.push_back(name + "=" + value);
  return environment;
}

struct Command {
  ProcessPlan plan;
  std::string runs_in;  // for the log
};

Result<Command> CommandOf(const OwnTrainer& own, const api::Dataset& dataset, const api::Task& task,
                          const Handover& handover, const std::stop_token& stop) {
  const auto& trainer = own.trainer;
  Command command;
  auto& plan = command.plan;
  OTE_TRY(auto words, api::SplitCommand(trainer.command));
  OTE_TRY(plan.argv, api::FillPlaceholders(words, handover.paths));
  auto program = FindProgram(plan.argv.front());
  if (program.empty()) {
    return Fail(ErrorId::kTrainerFailed,
                fmt::format("{}: there is no such program, or it may not be run", plan.argv.front()),
                fmt::format("ote trainer show {} at {}", trainer.name, own.cluster));
  }
  plan.argv.front() = words.front() = std::move(program);
  plan.environment = EnvironmentOf(trainer, task, handover);
  plan.folder = handover.folder;
  OTE_TRY(plan.timeout, ParseDuration(trainer.time_limit));
  OTE_TRY(plan.memory, ParseSize(trainer.memory));
  if (trainer.sandbox == api::Sandbox::kOff) {
    command.runs_in = "without a sandbox, as registered";
    return command;
  }
  const auto support = own.sandbox->Find(stop);
  if (!support.program.empty()) {
    SandboxView view{own.state, handover.folder, {dataset.path}};
    if (!dataset.label_path.empty()) view.inputs.push_back(dataset.label_path);
    plan.argv = InSandbox(support.program, trainer, view, words, plan.argv);
    command.runs_in = "in a sandbox";
    return command;
  }
  if (trainer.sandbox == api::Sandbox::kRequire) {
    return Fail(ErrorId::kSandboxMissing, support.why_not,
                fmt::format("at {}: install bubblewrap, or allow user namespaces", own.cluster));
  }
  command.runs_in = "without a sandbox: " + support.why_not;
  return command;
}

bool Says(const std::string& text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](auto word) { return text.find(word) != std::string::npos; });
}

std::string HintOf(const OwnTrainer& own, const api::Task& task, const std::string& said, bool sandboxed) {
  if (Says(said, {"MemoryError", "bad_alloc", "allocate memory", "out of memory"})) {
    return fmt::format("give it more than {}, at {}: ote trainer add {} … --memory SIZE --replace", own.trainer.memory,
                       own.cluster, own.trainer.name);
  }
  if (sandboxed && Says(said, {"Read-only file system", "Network is unreachable", "name resolution", "not known",
                               "No module named", "No such file or directory", "execvp"})) {
    return fmt::format(
        "its sandbox has no network, nothing to write but its own folder, and shows only part of the files: ote "
        "trainer add {} … --read PATH --replace shows more, at {}",
        own.trainer.name, own.cluster);
  }
  return fmt::format("ote fl logs {} --cluster {}", task.run, own.cluster);
}

std::string SignalText(int number) {
  const char* name = ::sigabbrev_np(number);
  return name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", number);
}

Result<void> Judge(const OwnTrainer& own, const api::Task& task, const ProcessEnd& end, const std::string& said,
                   bool sandboxed) {
  using How = ProcessEnd::How;
  const auto with = [&said](std::string what) { return said.empty() ? what : what + ": " + said; };
  if (end.how == How::kTimedOut) {
    return Fail(
        ErrorId::kTrainerTimedOut, with(fmt::format("not done within {}", own.trainer.time_limit)),
        fmt::format("at {}: ote trainer add {} … --time-limit DURATION --replace", own.cluster, own.trainer.name));
  }
  if (end.how == How::kExited && end.number == 0) return {};
  const auto what = end.how == How::kSignalled ? fmt::format("it was ended by {}", SignalText(end.number))
                                               : fmt::format("it ended with status {}", end.number);
  return Fail(ErrorId::kTrainerFailed, with(what), HintOf(own, task, said, sandboxed));
}

Result<learn::Trained> Take(const api::Task& task, const federate::ModelFile& given, const fs::path& folder,
                            std::span<float> parameters, TrainerLog& log) {
  OTE_TRY(const auto update, ReadLeft(folder, "update.safetensors", MostWeights(given.layout)));
  OTE_CHECK(TakeWeights(update, given.layout, parameters));
  OTE_TRY(const auto text, ReadLeft(folder, "metrics.json", kMostMetrics));
  OTE_TRY(const auto metrics, ParseTrainerMetrics(AsText(text)));
  if (task.local.normalize && !metrics.steps) {
    return Fail(ErrorId::kTrainerOutput, "metrics.json: this strategy needs steps, and there are none");
  }
  std::string numbers = fmt::format("loss {}", metrics.loss);
  for (const auto& [name, value] : metrics.metrics) numbers += fmt::format(", {} {}", name, value);
  log.Note(fmt::format("--- {}", numbers));
  return learn::Trained{metrics.loss, metrics.steps.value_or(0)};
}

}  // namespace

SandboxSupport SandboxProbe::Find(const std::stop_token& stop) {
  if (const auto known = Known(); known && !known->program.empty()) return *known;
  // Not under the lock: others ask what is known without waiting.
  auto found = FindSandbox(folder_, stop);
  const std::lock_guard lock(mutex_);
  if (!stop.stop_requested()) known_ = found;
  return found;
}

std::optional<SandboxSupport> SandboxProbe::Known() const {
  const std::lock_guard lock(mutex_);
  return known_;
}

Result<void> CheckFit(const api::Task& task) {
  const char* why = nullptr;
  if (task.local.control) why = "this strategy needs control variates";
  if (task.local.personal.kind != api::PersonalKind::kNone) why = "sites are to keep personal models";
  if (learn::InfoOf(task.model.kind).statistical) why = "this model is made of statistics, not trained by steps";
  if (why == nullptr) return {};
  return Fail(ErrorId::kTrainerUnfit, fmt::format("{}, which a trainer of the site's own cannot give", why),
              "set trainer: builtin in the run file");
}

Result<learn::Trained> TrainByCommand(const OwnTrainer& own, const api::Dataset& dataset, const api::Task& task,
                                      const federate::ModelFile& given, const learn::Table& train,
                                      std::span<float> parameters, const std::stop_token& stop) {
  const auto named = [&own](Error error) {
    if (error.id == ErrorId::kInterrupted) return error;
    return std::move(error).Context("trainer " + own.trainer.name);
  };
  // It becomes part of paths.
  OTE_CHECK(CheckName("run", task.run));
  if (auto fits = CheckFit(task); !fits) return Fail(named(fits.error()));
  const auto folder = TrainerWorkFolder(own.state) / fmt::format("{}-{}", task.run, task.round);
  const Scratch scratch(folder);
  auto handover = WriteHandover(folder, task, given, train, dataset);
  if (!handover) return Fail(named(handover.error()));
  auto command = CommandOf(own, dataset, task, *handover, stop);
  if (!command) return Fail(named(command.error()));

  TrainerLog log(TrainerLogFolder(own.state), task.run, dataset);
  const SystemClock clock;
  log.Note(fmt::format("--- {}  round {}  trainer {}, {}", FormatTime(clock.WallNow()), task.round, own.trainer.name,
                       command->runs_in));
  auto ended = RunProcess(
      command->plan, [&log](std::string_view text) { log.Write(text); }, stop);
  if (!ended) return Fail(named(ended.error()));
  const auto said = log.Tail(kTailLines, kTailBytes);
  const bool sandboxed = command->runs_in == "in a sandbox";
  if (auto fine = Judge(own, task, *ended, said, sandboxed); !fine) {
    log.Note(fmt::format("--- failed after {:.1f} s", ended->seconds));
    return Fail(named(fine.error()));
  }
  auto trained = Take(task, given, handover->Output(), parameters, log);
  if (!trained) {
    auto error = trained.error();
    if (!said.empty()) error.message += "; it printed: " + said;
    if (error.hint.empty()) error.hint = fmt::format("ote fl logs {} --cluster {}", task.run, own.cluster);
    return Fail(named(std::move(error)));
  }
  return trained;
}

}  // namespace ote::site
