// Training by a command of the site's operator, in place of the built-in one: makes the folder of the task, runs the
// command in it within its limits, and takes the weights that it leaves.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "core/api/dataset.h"
#include "core/api/task.h"
#include "core/api/trainer.h"
#include "core/federate/site.h"
#include "core/site/trainers/sandbox.h"

namespace ote::site {

// Finds out once whether there is a sandbox, and again after a no: it may have been installed since. Any thread.
class SandboxProbe {
 public:
  explicit SandboxProbe(std::filesystem::path folder) : folder_(std::move(folder)) {}
  // Starts a process when it does not know.
  SandboxSupport Find(const std::stop_token& stop);
  // What it knows.
  std::optional<SandboxSupport> Known() const;

 private:
  std::filesystem::path folder_;
  mutable std::mutex mutex_;
  std::optional<SandboxSupport> known_;
};

struct OwnTrainer {
  api::Trainer trainer;
  std::string cluster;          // this one, for hints
  std::filesystem::path state;  // the agent's folder
  std::shared_ptr<SandboxProbe> sandbox;
};
inline std::filesystem::path TrainerFolder(const std::filesystem::path& state) { return state / "trainers"; }
inline std::filesystem::path TrainerLogFolder(const std::filesystem::path& state) {
  return TrainerFolder(state) / "logs";
}
inline std::filesystem::path TrainerWorkFolder(const std::filesystem::path& state) {
  return TrainerFolder(state) / "work";
}

// kTrainerUnfit when what the task asks for needs the built-in training.
Result<void> CheckFit(const api::Task& task);

// Blocks until the command has ended. kTrainerUnfit, kSandboxMissing, kTrainerFailed, kTrainerTimedOut, kTrainerOutput,
// what the disk says, kInterrupted when stopped. Messages have the end of what the command printed, and a hint. For the
// worker's thread.
Result<learn::Trained> TrainByCommand(const OwnTrainer& own, const api::Dataset& dataset, const api::Task& task,
                                      const federate::ModelFile& given, const learn::Table& train,
                                      std::span<float> parameters, const std::stop_token& stop);

}  // namespace ote::site
