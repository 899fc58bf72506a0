// Tells the children of this agent the transport key that it will have next, so that they know it when it is in use.
// One thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/context.h"
#include "agent/members.h"
#include "core/api/parent_key.h"

namespace ote::agent {

class NextKey {
 public:
  NextKey(Context& context, Members& members) : context_(context), members_(members) {}
  ~NextKey() { End(); }

  // Tells the children that are here, and those that come. `done` is called once, never from within: when all that are
  // here have it on disk, or after `patience`. Takes the place of what was begun before.
  void Begin(const crypto::Certificate& next, std::optional<std::chrono::milliseconds> patience,
             std::function<void()> done);
  void End();
  bool UnderWay() const noexcept { return next_.has_value(); }
  // Children that are here and have not said that they have it; of those that are away nothing is known.
  std::vector<std::string> WaitingFor() const;
  // All children that have not said so.
  std::vector<std::string> Unheard() const;

 private:
  std::vector<std::string> Lacking(bool here) const;
  void Look();

  Context& context_;
  Members& members_;
  std::optional<crypto::Certificate> next_;
  std::function<void()> done_;
  std::optional<std::chrono::milliseconds> give_up_;
  std::set<std::string> told_;
  std::uint64_t round_ = 0;  // answers to what was asked for another key are passed over
  Timers::Id look_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
};

// Listens anew at all endpoints of this agent, with its key as it is now: the connections there are cut.
Result<void> ListenAnew(Context& context);

}  // namespace ote::agent
