// The seam between an agent and what really runs on its cluster: native processes, Kubernetes, or a program of somebody
// else. One shim an agent, chosen by `ote cluster join --shim` (kept in the membership).
//
// All calls and all answers are made in the agent's thread. Nothing here may block: a shim does its slow work in
// threads of its own and comes back with Context::post. Every `done` is called exactly once, later than the call,
// unless the shim is destroyed first. A shim that is destroyed leaves what it runs running.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/api/app.h"
#include "core/api/capacity.h"
#include "core/base/result.h"

namespace ote::agent {

struct LogQuery {
  std::string app;      // Assignment::Key
  std::string replica;  // "" for all
  std::int64_t tail = 100;
  bool follow = false;
};
struct LogLine {
  UnixMillis at = 0;  // 0 when not known
  std::string replica;
  std::string text;
};

class Shim {
 public:
  using Done = std::function<void(Result<void>)>;

  // What a shim tells without being asked; set before Start.
  struct Hooks {
    std::function<void(const api::AppStatus&)> app;          // a status that differs from the one before
    std::function<void(const api::ShimStatus&)> cluster;     // nodes, capacity, use, health of the shim itself
    std::function<void(const api::ClusterEvent&)> happened;  // events; bounded by the receiver
  };

  virtual ~Shim() = default;
  virtual std::string Name() const = 0;

  // Takes up what runs from before, and begins to tell. `wanted` is all that is to run: what runs and is not among it
  // is stopped. Errors that time may heal (an API server that is away) are no errors here; ShimStatus tells of them.
  virtual Result<void> Start(Hooks hooks, const std::vector<api::Assignment>& wanted) = 0;

  // Wants this from now on. The same again is no work and no restart. `done` says whether it was accepted (on disk, or
  // taken by the API server), not that it is healthy: that comes with Hooks::app.
  virtual void Apply(const api::Assignment& assignment, Done done) = 0;
  // Stops and forgets; success when there was nothing.
  virtual void Remove(const std::string& key, Done done) = 0;
  virtual void Restart(const std::string& key, Done done) = 0;

  // What Apply would change, as text for people ("" for nothing).
  virtual void Diff(const api::Assignment& assignment, std::function<void(Result<std::string>)> done) = 0;

  // Lines to `line` until it returns false or, without follow, all were told; then `done`. The answer gives up early.
  virtual std::function<void()> Logs(const LogQuery& query, std::function<bool(const LogLine&)> line, Done done) = 0;
};

// What a shim is made with. `folder` is its own, below the state folder, made when it is not there.
struct ShimContext {
  std::filesystem::path folder;
  std::string cluster;
  std::string rest;            // of "KIND:REST"
  std::filesystem::path self;  // the program of this agent, for those that start it again as a supervisor
  std::function<Result<std::filesystem::path>(const std::string& digest)> artifact;  // a file that holds it; kNotFound
  std::function<void(std::function<void()>)> post;  // runs in the agent's thread soon; any thread; after the shim is
                                                    // gone nothing that it posted may touch it
};

// Each in its own folder: agent/shim/process, agent/shim/kubernetes, agent/shim/program.
Result<std::unique_ptr<Shim>> MakeProcessShim(ShimContext context);
Result<std::unique_ptr<Shim>> MakeKubernetesShim(ShimContext context);
Result<std::unique_ptr<Shim>> MakeProgramShim(ShimContext context);

}  // namespace ote::agent
