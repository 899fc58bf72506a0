#include "agent/task_courier.h"

#include <fmt/format.h>

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
    case ErrorId::kNoRoute:
    case ErrorId::kForwardFailed:
      return true;
    default:
      return false;
  }
}

TaskCourier::TaskCourier(Context& context, Members& members, Transfer& transfer, RunSeals& seals, Refused refused,
                         Unpacked unpacked)
    : context_(context),
      members_(members),
      transfer_(transfer),
      seals_(seals),
      refused_(std::move(refused)),
      unpacked_(std::move(unpacked)) {}

TaskCourier::~TaskCourier() { ForgetAll(); }

void TaskCourier::Send(const std::string& site, const api::Task& task) {
  if (const auto it = errands_.find(site); it != errands_.end()) Drop(it);
  Errand errand;
  errand.task = task;
  errand.name = seals_.NameOf(task);
  errand.serial = next_serial_++;
  errands_.emplace(site, std::move(errand));
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
  for (const auto& digest : it->second.granted) transfer_.Revoke(it->first, digest);
  errands_.erase(it);
}

void TaskCourier::Try(const std::string& site) {
  auto& errand = errands_.at(site);
  const auto peer = members_.WayTo(site);
  if (!peer || errand.asking || errand.taken_by == peer) return;
  context_.timers.Cancel(errand.timer);
  errand.timer = 0;
  auto packed = Pack(site, errand);
  if (!packed) {
    log::Warn("task not packed", {{"run", errand.task.run}, {"cluster", site}, {"why", packed.error().message}});
    if (packed.error().id == ErrorId::kRevoked) return Later(site, errand);  // it is about to be taken out of the run
    errand.timer = context_.timers.At(context_.clock.SteadyNow(), [this, error = packed.error()] { unpacked_(error); });
    return;
  }
  errand.asking = true;
  context_.rpc.Call(*peer, api::verb::kFlTask, std::move(*packed), kPatience,
                    [this, alive = std::weak_ptr<bool>(alive_), site, serial = errand.serial,
                     peer = *peer](const Result<wire::Envelope>& answer) {
                      if (alive.lock()) Answered(site, serial, peer, answer);
                    });
}

Result<Json> TaskCourier::Pack(const std::string& site, Errand& errand) {
  OTE_TRY(const auto parcel, seals_.Pack(errand.task, site, errand.copies));
  if (errand.granted.empty()) {
    for (const auto& copy : {errand.copies.model, errand.copies.control}) {
      if (copy == nullptr) continue;
      errand.granted.push_back(copy->copy.digest);
      transfer_.Grant(site, copy->copy.digest);
    }
  }
  return ToJson(parcel);
}

Result<void> TaskCourier::CheckAnswer(const std::string& site, const parcel::Head& answer) const {
  const auto it = errands_.find(site);
  if (it == errands_.end() || it->second.task.round != answer.round ||
      std::ranges::equal(it->second.name, answer.answers)) {
    return {};
  }
  return Fail(ErrorId::kParcelMismatch,
              fmt::format("an answer of {} for round {}: it is to another task than it has now", site, answer.round));
}

void TaskCourier::Answered(const std::string& site, std::uint64_t serial, const Destination& way,
                           const Result<wire::Envelope>& answer) {
  const auto it = errands_.find(site);
  if (it == errands_.end() || it->second.serial != serial) return;
  auto& errand = it->second;
  errand.asking = false;
  if (answer) {
    errand.taken_by = way;
    // It may have come back over another connection while we waited.
    if (members_.WayTo(site) != way) Try(site);
    return;
  }
  if (parcel::MayBeDamage(answer.error().id) && ++errand.damaged < kMostDamaged) {
    log::Warn("task altered on its way", {{"cluster", site}, {"why", answer.error().message}});
    return Later(site, errand);
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
