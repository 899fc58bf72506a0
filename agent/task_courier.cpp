#include "agent/task_courier.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/api/requests.h"
#include "core/base/log.h"

namespace ote::agent {

bool MayPass(const Error& error) noexcept {
  switch (error.id) {
    case ErrorId::kUnreachable:
    case ErrorId::kTimedOut:
    case ErrorId::kBusy:
    case ErrorId::kInternal:
    case ErrorId::kNoSpace:
    case ErrorId::kStoreFailed:
    case ErrorId::kFileFailed:
    case ErrorId::kInterrupted:
      return true;
    default:
      return false;
  }
}

namespace {

// What a site fetches for a task.
std::vector<std::string> ArtifactsFor(const api::Task& task) {
  std::vector<std::string> digests;
  for (const auto& digest : {task.model_digest, task.local.control_digest}) {
    if (!digest.empty()) digests.push_back(digest);
  }
  return digests;
}

}  // namespace

TaskCourier::TaskCourier(Context& context, Members& members, Transfer& transfer, Refused refused)
    : context_(context), members_(members), transfer_(transfer), refused_(std::move(refused)) {}

TaskCourier::~TaskCourier() { ForgetAll(); }

void TaskCourier::Send(const std::string& site, const api::Task& task) {
  if (const auto it = errands_.find(site); it != errands_.end()) Drop(it);
  Errand errand;
  errand.task = task;
  errand.serial = next_serial_++;
  errands_.emplace(site, std::move(errand));
  for (const auto& digest : ArtifactsFor(task)) transfer_.Grant(site, digest);
  Try(site);
}

const api::Task* TaskCourier::TaskOf(const std::string& site) const {
  const auto it = errands_.find(site);
  return it == errands_.end() ? nullptr : &it->second.task;
}

void TaskCourier::Present(const std::string& site) {
  const auto it = errands_.find(site);
  if (it == errands_.end()) return;
  it->second.tries = 0;
  Try(site);
}

void TaskCourier::Forget(const std::string& site, std::int64_t round) {
  const auto it = errands_.find(site);
  if (it != errands_.end() && it->second.task.round <= round) Drop(it);
}

void TaskCourier::ForgetAll() {
  while (!errands_.empty()) Drop(errands_.begin());
}

void TaskCourier::Drop(std::map<std::string, Errand>::iterator it) {
  context_.timers.Cancel(it->second.timer);
  for (const auto& digest : ArtifactsFor(it->second.task)) transfer_.Revoke(it->first, digest);
  errands_.erase(it);
}

void TaskCourier::Try(const std::string& site) {
  auto& errand = errands_.at(site);
  const auto peer = members_.PeerOf(site);
  if (!peer || errand.asking || errand.taken_by == peer) return;
  context_.timers.Cancel(errand.timer);
  errand.timer = 0;
  errand.asking = true;
  context_.rpc.Call(*peer, api::verb::kFlTask, ToJson(errand.task), kPatience,
                    [this, alive = std::weak_ptr<bool>(alive_), site, serial = errand.serial,
                     peer = *peer](const Result<wire::Envelope>& answer) {
                      if (alive.lock()) Answered(site, serial, peer, answer);
                    });
}

void TaskCourier::Answered(const std::string& site, std::uint64_t serial, wire::PeerId peer,
                           const Result<wire::Envelope>& answer) {
  const auto it = errands_.find(site);
  if (it == errands_.end() || it->second.serial != serial) return;
  auto& errand = it->second;
  errand.asking = false;
  if (answer) {
    errand.taken_by = peer;
    // It may have come back over another connection while we waited.
    if (members_.PeerOf(site) != peer) Try(site);
    return;
  }
  if (MayPass(answer.error())) {
    log::Debug("task not taken yet", {{"run", errand.task.run}, {"cluster", site}, {"why", answer.error().message}});
    return Later(site, errand);
  }
  const auto task = errand.task;
  Drop(it);
  refused_(task, site, answer.error());
}

void TaskCourier::Later(const std::string& site, Errand& errand) {
  context_.timers.Cancel(errand.timer);
  const auto pause = std::min(kLongestPause, kPause * (1 << std::min(errand.tries, 5)));
  ++errand.tries;
  errand.timer = context_.timers.At(context_.clock.SteadyNow() + pause, [this, site, serial = errand.serial] {
    const auto it = errands_.find(site);
    if (it == errands_.end() || it->second.serial != serial) return;
    it->second.timer = 0;
    Try(site);
  });
}

}  // namespace ote::agent
