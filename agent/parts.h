// What an agent does beside being a member: data sets, training, runs, models, and the transfers between them.
#pragma once

#include <memory>

#include "agent/context.h"
#include "agent/datasets.h"
#include "agent/members.h"
#include "agent/models.h"
#include "agent/run_controller.h"
#include "agent/trainer.h"
#include "agent/transfer.h"
#include "agent/uplink.h"

namespace ote::agent {

class Parts {
 public:
  Parts(Context& context, Members& members, Uplink& uplink)
      : transfer(context),
        datasets(context, uplink),
        trainer(context, uplink, transfer, datasets),
        runs(context, members, transfer),
        models(context) {}

  // Registers the verbs and takes up what was going on when the agent last stopped.
  Result<void> Start() {
    OTE_CHECK(transfer.Start());
    OTE_CHECK(datasets.Start());
    OTE_CHECK(trainer.Start());
    OTE_CHECK(runs.Start());
    return models.Start();
  }

  Transfer transfer;
  Datasets datasets;
  Trainer trainer;
  RunController runs;
  Models models;
};

}  // namespace ote::agent
