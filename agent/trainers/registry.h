// The trainers that the operator of this site registered. Serves trainer.*.
//
// For a data set there is at most one: of those that name it, or else of those that name none, there cannot be two. One
// thread, and one of its own that finds out about sandboxes, started when there is the first trainer.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "agent/context.h"
#include "agent/worker.h"
#include "core/api/requests.h"
#include "core/site/trainers/own_training.h"

namespace ote::agent {

class Trainers {
 public:
  explicit Trainers(Context& context);
  ~Trainers();

  // Loads what is registered, registers the verbs, and removes what a crash left.
  Result<void> Start();
  // The one for a data set.
  std::optional<site::OwnTrainer> For(const std::string& dataset) const;

 private:
  void Add(Request request);
  Result<api::Trainer> Register(const api::TrainerAddRequest& asked);
  Result<api::Trainer> Remove(const api::NameRequest& request);
  Result<api::TrainerList> List() const;
  Result<void> CheckAlone(const api::Trainer& trainer) const;
  // As answers have it.
  api::Trainer Shown(api::Trainer trainer) const;

  Context& context_;
  std::map<std::string, api::Trainer> trainers_;
  std::shared_ptr<site::SandboxProbe> sandbox_;  // shared with the jobs of workers
  std::map<std::uint64_t, Request> adding_;      // not answered yet: a sandbox is tried
  std::uint64_t next_ = 1;
  Worker worker_;
};

}  // namespace ote::agent
