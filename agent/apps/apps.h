// The apps of an agent: its shim, what it executes for those above, and what it wants of those below.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "agent/apps/app_desk.h"
#include "agent/apps/log_desk.h"
#include "agent/apps/site_desk.h"
#include "agent/transfer.h"
#include "agent/uplink.h"

namespace ote::agent {

class Apps {
 public:
  // All must outlive it.
  Apps(Context& context, Members& members, Uplink& uplink, CommandBus& bus, StateBoard& board, Transfer& transfer);

  // Makes the shim that the membership names, gives it what is wanted here, and registers the verbs; after the bus, the
  // board and the members have started. A shim that cannot be made is told of on the board, and no error: the agent is
  // of use without it.
  Result<void> Start();
  // Artifacts that apps need.
  std::set<std::string> Needed() const;
  AppDesk::Reached ReachOf(const std::string& app) const { return desk_ ? desk_->ReachOf(app) : AppDesk::Reached{}; }
  // After Start; `site` is nullptr without a shim.
  AppDesk& desk() { return *desk_; }
  SiteDesk* site() noexcept { return site_ ? &*site_ : nullptr; }
  // nullptr where there is none.
  Shim* shim() noexcept { return shim_.get(); }

 private:
  Result<std::unique_ptr<Shim>> MakeShim() const;
  void Fetch(const std::string& from, const api::AppFile& file, SiteDesk::Done done);

  Context& context_;
  Members& members_;
  Uplink& uplink_;
  CommandBus& bus_;
  StateBoard& board_;
  Transfer& transfer_;
  std::unique_ptr<Shim> shim_;
  std::optional<SiteDesk> site_;
  std::optional<AppDesk> desk_;
  std::optional<LogDesk> logs_;
};

}  // namespace ote::agent
