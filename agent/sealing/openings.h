// Opens sealed artifacts in the worker's thread, chunk by chunk from disk to disk, so that the agent answers others
// meanwhile. Used from the agent's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "agent/context.h"
#include "agent/worker.h"
#include "core/store/sealed_artifacts.h"

namespace ote::agent {

class Openings {
 public:
  using Id = std::uint64_t;
  using Done = std::function<void(Result<void>)>;
  // Whether somebody needs an artifact, or may do so.
  using Needed = std::function<bool(const std::string& digest)>;

  Openings(Context& context, Worker& worker, Needed needed)
      : context_(context), worker_(worker), needed_(std::move(needed)) {}
  // What is not open yet is given up; `done` is called for none of it.
  ~Openings();

  // Those that were begun are opened one after the other, in their order. `done` is called once, never from within
  // Begin: when the plain artifact is there, or with what BeginOpening and FinishOpening say. The sealed one is gone
  // then.
  Id Begin(Result<store::Opening> begun, Durability durability, Done done);
  // `done` is not called any more. Of what nobody needs nothing stays, neither sealed nor plain.
  void Cancel(Id id);

 private:
  struct Job {
    std::string sealed;
    std::string plain;
    Done done;  // empty when it was given up
    std::stop_source work{std::nostopstate};
  };
  void Ended(Id id, Result<void> result);
  void DropUnlessNeeded(const std::string& digest);

  Context& context_;
  Worker& worker_;
  Needed needed_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
  std::map<Id, Job> jobs_;
  Id next_ = 1;
};

}  // namespace ote::agent
