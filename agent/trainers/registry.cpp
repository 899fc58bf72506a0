#include "agent/trainers/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/log.h"
#include "core/site/trainers/process.h"

namespace ote::agent {

Trainers::Trainers(Context& context)
    : context_(context), sandbox_(std::make_shared<site::SandboxProbe>(context.folder.path)), worker_(context.post) {}

Trainers::~Trainers() {
  for (auto& [id, request] : adding_) {
    request.Refuse(Error{ErrorId::kUnreachable, "trainer.add: the agent stops; nothing was registered", {}});
  }
}

Result<void> Trainers::Start() {
  OTE_TRY(auto trainers, context_.store.List<api::Trainer>());
  for (auto& trainer : trainers) trainers_.emplace(trainer.name, std::move(trainer));
  auto& rpc = context_.rpc;
  rpc.Register(api::verb::kTrainerAdd, kByOperator, [this](Request request) { Add(std::move(request)); });
  rpc.RegisterCall<api::Empty>(api::verb::kTrainerList, kByOperator,
                               [this](const Request&, const auto&) { return List(); });
  rpc.RegisterCall<api::NameRequest>(api::verb::kTrainerRemove, kByOperator,
                                     [this](const Request&, const auto& body) { return Remove(body); });
  std::error_code error;
  std::filesystem::remove_all(site::TrainerWorkFolder(context_.folder.path), error);
  if (error) log::Warn("folders of trainers not removed", {{"why", error.message()}});
  if (!trainers_.empty()) {
    worker_.Run<site::SandboxSupport>([probe = sandbox_](const std::stop_token& stop) { return probe->Find(stop); },
                                      [](const site::SandboxSupport&) {});
  }
  return {};
}

std::optional<site::OwnTrainer> Trainers::For(const std::string& dataset) const {
  const api::Trainer* found = nullptr;
  for (const auto& [name, trainer] : trainers_) {
    const bool bound = std::ranges::find(trainer.datasets, dataset) != trainer.datasets.end();
    if (bound || (found == nullptr && trainer.datasets.empty())) found = &trainer;
    if (bound) break;
  }
  if (found == nullptr) return std::nullopt;
  return site::OwnTrainer{*found, context_.membership.name, context_.folder.path, sandbox_};
}

// Whether there is a sandbox is found out first, so that the answer tells it.
void Trainers::Add(Request request) {
  const auto asked = FromWire<api::TrainerAddRequest>(request.envelope().body);
  if (!asked) return request.Refuse(asked.error());
  const auto id = next_++;
  adding_.emplace(id, std::move(request));
  const bool wanted = asked->trainer.sandbox != api::Sandbox::kOff;
  worker_.Run<site::SandboxSupport>(
      [probe = sandbox_, wanted](const std::stop_token& stop) {
        return wanted ? probe->Find(stop) : site::SandboxSupport();
      },
      [this, id, asked = *asked](const site::SandboxSupport&) {
        auto answering = adding_.extract(id);
        const auto registered = Register(asked);
        if (!registered) return answering.mapped().Refuse(registered.error());
        answering.mapped().Answer(ToJson(*registered));
      });
}

Result<void> Trainers::CheckAlone(const api::Trainer& trainer) const {
  for (const auto& [name, other] : trainers_) {
    if (name == trainer.name) continue;
    if (trainer.datasets.empty() && other.datasets.empty()) {
      return Fail(ErrorId::kConflict, fmt::format("trainer {}: {} is for all data sets already", trainer.name, name),
                  fmt::format("name data sets with --dataset, or ote trainer remove {}", name));
    }
    for (const auto& dataset : trainer.datasets) {
      if (std::ranges::find(other.datasets, dataset) == other.datasets.end()) continue;
      return Fail(ErrorId::kConflict,
                  fmt::format("trainer {}: {} is for the data set {} already", trainer.name, name, dataset),
                  fmt::format("ote trainer remove {}", name));
    }
  }
  return {};
}

Result<api::Trainer> Trainers::Register(const api::TrainerAddRequest& asked) {
  auto trainer = asked.trainer;
  trainer.runs_in.clear();
  OTE_CHECK(api::Validate(trainer));
  const auto there = trainers_.find(trainer.name);
  if (there != trainers_.end() && api::SameTrainer(there->second, trainer)) return Shown(there->second);
  if (there != trainers_.end() && !asked.replace) {
    return Fail(ErrorId::kConflict, fmt::format("trainer {}: registered already, with other settings", trainer.name),
                fmt::format("ote trainer add {} … --replace", trainer.name));
  }
  OTE_CHECK(CheckAlone(trainer));
  OTE_TRY(const auto words, api::SplitCommand(trainer.command));
  if (words.front().find('{') == std::string::npos && site::FindProgram(words.front()).empty()) {
    return Fail(ErrorId::kTrainerInvalid,
                fmt::format("command: {}: there is no such program, or the agent's user may not run it", words.front()),
                fmt::format("give its whole path; without one it is looked for in {}", site::kProgramPath));
  }
  const auto known = sandbox_->Known();
  if (trainer.sandbox == api::Sandbox::kRequire && known && known->program.empty()) {
    return Fail(ErrorId::kSandboxMissing, fmt::format("trainer {}: {}", trainer.name, known->why_not),
                "install bubblewrap, allow user namespaces, or take --sandbox auto");
  }
  trainer.registered_at = context_.clock.WallNow();
  OTE_CHECK(context_.store.Put(trainer));
  trainers_.insert_or_assign(trainer.name, trainer);
  auto shown = Shown(trainer);
  log::Info("trainer registered", {{"trainer", trainer.name}, {"runsIn", shown.runs_in}});
  return shown;
}

Result<api::Trainer> Trainers::Remove(const api::NameRequest& request) {
  const auto it = trainers_.find(request.name);
  if (it == trainers_.end()) {
    return Fail(ErrorId::kNotFound, fmt::format("trainer {}: not registered here", request.name), "ote trainer list");
  }
  OTE_CHECK(context_.store.Remove<api::Trainer>(request.name));
  auto removed = Shown(std::move(it->second));
  trainers_.erase(it);
  log::Info("trainer removed", {{"trainer", request.name}});
  return removed;
}

Result<api::TrainerList> Trainers::List() const {
  api::TrainerList list;
  for (const auto& [name, trainer] : trainers_) list.items.push_back(Shown(trainer));
  return list;
}

api::Trainer Trainers::Shown(api::Trainer trainer) const {
  const auto known = sandbox_->Known();
  if (trainer.sandbox == api::Sandbox::kOff) {
    trainer.runs_in = "no sandbox: as registered";
  } else if (!known) {
    trainer.runs_in = "not known yet";
  } else {
    trainer.runs_in = known->program.empty() ? "no sandbox: " + known->why_not : "bubblewrap";
  }
  return trainer;
}

}  // namespace ote::agent
