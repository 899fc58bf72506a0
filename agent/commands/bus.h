// Durable commands as the parts of an agent see them: issued here for clusters anywhere below, executed here for those
// above. One thread.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "core/api/command.h"
#include "core/base/result.h"

namespace ote::agent {

class CommandBus {
 public:
  struct Order {
    std::string verb;
    Json body = Json::object();
    std::string by;                    // operator
    std::chrono::milliseconds ttl{0};  // 0: for ever
    std::string replaces;              // see api::Command
    std::string request_id;            // the same id is the same order: nothing is issued again
    // Clusters that join or come back later and match get it too, until the deadline.
    bool late = false;
    std::string selector;  // tree::Selector; with `late` only
  };
  using Done = std::function<void(Result<Json>)>;

  virtual ~CommandBus() = default;

  // On disk for each cluster before it returns its id. A cluster that is this agent itself executes it here. Clusters
  // that are away get it when they come back; each gets those for it in the order in which they were issued. kConflict
  // for a request id that came with another order; kBusy when too many wait for a cluster, or in all: nothing was
  // issued then.
  virtual Result<std::string> Issue(const Order& order, const std::vector<std::string>& clusters) = 0;
  virtual std::vector<api::CommandOutcome> OutcomesOf(const std::string& id) const = 0;

  // How a verb is executed here. `done` once, now or later; a crash before it is answered runs it again only when
  // `repeatable`, and fails it with kInterrupted otherwise.
  virtual void Handle(std::string_view verb, bool repeatable,
                      std::function<void(const api::Command&, Done)> execute) = 0;
  // Each change of an outcome of what was issued here.
  virtual void OnOutcome(std::function<void(const api::CommandOutcome&)> fn) = 0;
};

}  // namespace ote::agent
