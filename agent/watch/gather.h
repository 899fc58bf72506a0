// What an agent measures of itself when it is asked (ote-metrics(7) lists it).
#pragma once

#include <functional>
#include <optional>

#include "agent/context.h"
#include "agent/members.h"
#include "agent/parts.h"
#include "agent/state/board.h"
#include "agent/uplink.h"
#include "agent/watch/families.h"
#include "core/api/findings.h"

namespace ote::agent {

// Where it is read from; all in the agent's thread.
struct Watched {
  Context& context;
  Members& members;
  Uplink& uplink;
  Parts& parts;
  std::function<std::size_t()> posted;  // functions that wait for the agent's thread
  const StateBoard* board = nullptr;    // absent: nothing of apps and reports is told
};

// Apps and reports of `clusters`, of which `own` is this one.
void AddBoard(const StateBoard& board, const std::vector<api::Cluster>& clusters, const std::string& own,
              UnixMillis now, Families& out);

Families Gather(const Watched& watched, const std::optional<api::ShipStatus>& ship);

}  // namespace ote::agent
