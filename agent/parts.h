// What an agent does beside being a member: data sets, training, runs, models, and the transfers between them.
#pragma once

#include <functional>
#include <memory>
#include <set>

#include "agent/context.h"
#include "agent/datasets.h"
#include "agent/members.h"
#include "agent/models.h"
#include "agent/run_controller.h"
#include "agent/sealing/openings.h"
#include "agent/statistics.h"
#include "agent/trainer.h"
#include "agent/trainers/output_desk.h"
#include "agent/trainers/registry.h"
#include "agent/transfer.h"
#include "agent/uplink.h"
#include "agent/uploads.h"
#include "core/base/log.h"
#include "core/site/by_hand/records.h"
#include "crypto/digest.h"

namespace ote::agent {

class Parts {
  Context& context_;

 public:
  Parts(Context& context, Members& members, Uplink& uplink)
      : context_(context),
        transfer(context),
        uploads(context, transfer),
        datasets(context, uplink),
        statistics(context, members, datasets),
        trainers(context),
        openings(context, datasets.GetWorker(), [this](const std::string& digest) { return Needs(digest); }),
        trainer(context, uplink, transfer, openings, datasets, trainers),
        runs(context, members, uplink, transfer, openings),
        output(context, members, datasets.GetLedger(), [this](const std::string& run) { return runs.IdOf(run); }),
        models(context,
               [this](const std::string& digest) { return runs.Needs(digest) || trainer.Needed().contains(digest); }) {
    runs.SetOthers([this] { return OthersNeed(); });
  }

  // Registers the verbs and takes up what was going on when the agent last stopped.
  Result<void> Start() {
    OTE_CHECK(transfer.Start());
    OTE_CHECK(uploads.Start());
    OTE_CHECK(datasets.Start());
    OTE_CHECK(statistics.Start());
    OTE_CHECK(trainers.Start());
    OTE_CHECK(trainer.Start());
    OTE_CHECK(models.Start());
    OTE_CHECK(runs.Start());
    output.Start();
    DropLeftovers();
    return {};
  }

  bool Needs(const std::string& digest) const { return runs.Needs(digest) || OthersNeed().contains(digest); }

  // Artifacts that others need.
  std::function<std::set<std::string>()> also_needed;

  Transfer transfer;
  Uploads uploads;
  Datasets datasets;
  Statistics statistics;
  Trainers trainers;
  Openings openings;
  Trainer trainer;
  RunController runs;
  OutputDesk output;
  Models models;

 private:
  // What others than runs and registered models need.
  std::set<std::string> OthersNeed() const {
    auto needed = trainer.Needed();
    if (also_needed) needed.merge(also_needed());
    needed.merge(site::AnswersNeeded(context_.store));
    return needed;
  }
  // What a crash left between two steps: artifacts that no run, model, task or offer names.
  void DropLeftovers() {
    const auto needed = runs.Needed();
    if (!needed) return;  // a run that cannot be read now may need any of them
    std::set<crypto::Digest> keep;
    for (const auto& names : {*needed, OthersNeed()}) {
      for (const auto& name : names) {
        if (const auto digest = crypto::Digest::Parse(name)) keep.insert(*digest);
      }
    }
    const auto freed = context_.artifacts.CollectExcept(keep);
    if (!freed) {
      log::Warn("leftovers not removed", {{"why", freed.error().message}});
    } else if (*freed > 0) {
      log::Info("leftovers removed", {{"bytes", *freed}});
    }
  }
};

}  // namespace ote::agent
