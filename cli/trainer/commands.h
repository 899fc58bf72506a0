// ote trainer: a site's own ways to train.
#pragma once

#include <string>
#include <vector>

#include "cli/frame/command.h"
#include "cli/frame/link.h"
#include "core/api/trainer.h"

namespace ote::cli {

Command TrainerCommand();

Command AddTrainerCommand();
Command ListTrainersCommand();
Command ShowTrainerCommand();
Command RemoveTrainerCommand();

// A trainer for people.
std::string TrainerText(const api::Trainer& trainer);
Result<std::vector<api::Trainer>> FetchTrainers(const Context& context, AgentLink& link);

}  // namespace ote::cli
