#include "agent/sealing/openings.h"

#include <utility>

namespace ote::agent {

Openings::~Openings() {
  for (auto& [id, job] : jobs_) job.work.request_stop();
}

Openings::Id Openings::Begin(Result<store::Opening> begun, Durability durability, Done done) {
  const auto id = next_++;
  auto& job = jobs_[id];
  job.done = std::move(done);
  if (!begun) {
    context_.timers.At(context_.clock.SteadyNow(),
                       [this, id, error = begun.error(), alive = std::weak_ptr<bool>(alive_)] {
                         if (alive.lock()) Ended(id, Fail(error));
                       });
    return id;
  }
  job.sealed = begun->sealed;
  job.plain = begun->plain;
  // Shared, since a function can be copied and a key cannot.
  auto opening = std::make_shared<store::Opening>(std::move(*begun));
  job.work = worker_.Run<Result<void>>(
      [&artifacts = context_.artifacts, opening, durability](const std::stop_token& stop) {
        return store::FinishOpening(artifacts, std::move(*opening), durability, stop);
      },
      [this, id, alive = std::weak_ptr<bool>(alive_)](Result<void> result) {
        if (alive.lock()) Ended(id, std::move(result));
      });
  return id;
}

void Openings::Cancel(Id id) {
  const auto it = jobs_.find(id);
  if (it == jobs_.end()) return;
  it->second.done = nullptr;
  it->second.work.request_stop();
}

void Openings::Ended(Id id, Result<void> result) {
  const auto node = jobs_.extract(id);
  const auto& job = node.mapped();
  if (job.done) {
    if (!job.sealed.empty()) context_.artifacts.Remove(job.sealed);
    return job.done(std::move(result));
  }
  DropUnlessNeeded(job.sealed);
  if (result) DropUnlessNeeded(job.plain);
}

void Openings::DropUnlessNeeded(const std::string& digest) {
  if (!digest.empty() && !needed_(digest)) context_.artifacts.Remove(digest);
}

}  // namespace ote::agent
