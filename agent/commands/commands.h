// Durable commands of one agent: those that it issued, and those that it executes. Serves command.* and
// cluster.commands.
#pragma once

#include "agent/commands/inbox.h"
#include "agent/commands/outbox.h"

namespace ote::agent {

class Commands final : public CommandBus {
 public:
  Commands(Context& context, Members& members, Uplink& uplink);

  // Loads what there is and registers the verbs; after Members::Start.
  Result<void> Start();

  Result<std::string> Issue(const Order& order, const std::vector<std::string>& clusters) override {
    return outbox_.Issue(order, clusters);
  }
  std::vector<api::CommandOutcome> OutcomesOf(const std::string& id) const override { return outbox_.OutcomesOf(id); }
  void Handle(std::string_view verb, bool repeatable, std::function<void(const api::Command&, Done)> execute) override {
    inbox_.Handle(verb, repeatable, std::move(execute));
  }
  void OnOutcome(std::function<void(const api::CommandOutcome&)> fn) override { outbox_.OnOutcome(std::move(fn)); }

  void SetWarden(Inbox::Warden warden) { inbox_.SetWarden(std::move(warden)); }
  void SetLimits(Outbox::Limits limits) { outbox_.SetLimits(limits); }
  // What command.run does.
  Result<api::CommandOutcome> Take(const api::Command& command) { return inbox_.Take(command); }
  // kCommandUnknown when one is asked for that is not remembered. Outcomes are left out for clusters that `sees` does
  // not let through.
  Result<api::CommandList> List(const api::CommandQuery& query, const Sees& sees = {}) const;
  // How many of those that were issued here for a cluster are in each phase.
  std::map<std::string, std::int64_t> PhasesOf(const std::string& cluster) const { return outbox_.PhasesOf(cluster); }

 private:
  void Outcome(Request request);
  void CutToPage(const api::CommandQuery& query, const Sees& sees, api::CommandList& list) const;

  Context& context_;
  Members& members_;
  Outbox outbox_;
  Inbox inbox_;
};

}  // namespace ote::agent
