// What every part of an agent works with. Owned by Node, which outlives the parts; one thread.
#pragma once

#include <functional>

#include "agent/rpc.h"
#include "agent/timers.h"
#include "core/base/clock.h"
#include "core/store/artifacts.h"
#include "core/store/state_folder.h"
#include "core/store/store.h"
#include "core/wire/transport.h"

namespace ote::agent {

struct Context {
  const Clock& clock;
  store::StateFolder folder;
  store::Membership& membership;  // written back with folder.SaveMembership after a change
  const crypto::SigningKey& sign_key;
  const crypto::TransportKey& transport_key;
  store::Store& store;
  store::Artifacts& artifacts;
  wire::Transport& transport;
  Timers& timers;
  Rpc& rpc;
  // Runs `fn` in the agent's thread soon; callable from any thread.
  std::function<void(std::function<void()>)> post;
  Tally* tally = nullptr;  // counts what happens; may be absent
};

}  // namespace ote::agent
