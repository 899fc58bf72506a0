#include "agent/state/report_line.h"

#include "core/api/verbs.h"
#include "core/base/log.h"

namespace ote::agent {
namespace {

// Of one source without its things.
constexpr std::size_t kAround = 256;

std::size_t SizeOf(const api::SourceReport& report) {
  std::size_t size = kAround + report.cluster.size();
  for (const auto& thing : report.set) size += 64 + thing.kind.size() + thing.name.size() + thing.value.size();
  for (const auto& gone : report.removed) size += 64 + gone.kind.size() + gone.name.size();
  return size;
}

}  // namespace

ReportLine::ReportLine(Context& context, Uplink& uplink, Find find, All all)
    : context_(context), uplink_(uplink), find_(std::move(find)), all_(std::move(all)) {}

ReportLine::~ReportLine() {
  context_.timers.Cancel(soon_);
  context_.timers.Cancel(rest_);
}

void ReportLine::Start() {
  uplink_.OnConnected([this] { Connected(); });
}

void ReportLine::Connected() {
  ++session_;
  asking_ = false;
  sent_.clear();
  queue_.clear();
  resting_.clear();
  backoff_.Reset();
  for (const auto& cluster : all_()) Queue(cluster);
}

void ReportLine::Touched(const std::string& cluster) {
  if (uplink_.Connected() && !resting_.contains(cluster)) Queue(cluster);
}

void ReportLine::Forget(const std::string& cluster) {
  sent_.erase(cluster);
  resting_.erase(cluster);
}

void ReportLine::Queue(const std::string& cluster) {
  auto& sent = sent_[cluster];
  if (!std::exchange(sent.queued, true)) queue_.push_back(cluster);
  PumpSoon();
}

void ReportLine::PumpSoon() {
  if (soon_ == 0 && !asking_) soon_ = context_.timers.At(context_.clock.SteadyNow(), [this] { Pump(); });
}

void ReportLine::Pump() {
  soon_ = 0;
  if (asking_ || !uplink_.Connected()) return;
  api::StateReport batch;
  std::size_t size = 0;
  while (!queue_.empty() && batch.sources.size() < kMostSources) {
    const auto cluster = queue_.front();
    const auto it = sent_.find(cluster);
    const auto source = it == sent_.end() ? std::nullopt : find_(cluster);
    if (!source) {
      queue_.pop_front();
      sent_.erase(cluster);
      continue;
    }
    const auto& sent = it->second;
    // The mirror at a relay may have gone back meanwhile, to that of a restored edge.
    const bool fits = sent.known && sent.at <= source->feed->at();
    const std::size_t left = kMostBatch - size;
    auto report = fits ? source->feed->Report(cluster, sent.at, sent.full, left) : source->feed->Mark(cluster);
    report.dropped = source->dropped;
    const auto its = SizeOf(report);
    if (!batch.sources.empty() && its > left) break;
    size += its;
    it->second.queued = false;
    queue_.pop_front();
    batch.sources.push_back(std::move(report));
    if (size >= kMostBatch) break;
  }
  if (batch.sources.empty()) return;
  asking_ = true;
  auto body = ToJson(batch);
  uplink_.Call(api::verb::kStateReport, std::move(body), kPatience,
               [this, batch = std::move(batch), session = session_,
                alive = std::weak_ptr<bool>(alive_)](const Result<wire::Envelope>& answer) {
                 if (alive.lock() && session == session_) Answered(batch, answer);
               });
}

void ReportLine::Answered(const api::StateReport& report, const Result<wire::Envelope>& answer) {
  asking_ = false;
  auto acks = answer ? FromWire<api::StateAck>(answer->body) : Result<api::StateAck>(Fail(answer.error()));
  if (!acks) {
    log::Debug("state not reported", {{"why", acks.error().message}});
    for (const auto& source : report.sources) Rest(source.cluster);
    return RestTimer();
  }
  std::map<std::string_view, const api::SourceAck*> by_name;
  for (const auto& ack : acks->sources) by_name[ack.cluster] = &ack;
  for (const auto& source : report.sources) {
    const auto ack = by_name.find(source.cluster);
    if (ack == by_name.end()) {
      Rest(source.cluster);
    } else {
      Take(source, *ack->second);
    }
  }
  if (resting_.empty()) backoff_.Reset();
  RestTimer();
  PumpSoon();
}

void ReportLine::Take(const api::SourceReport& report, const api::SourceAck& ack) {
  const auto it = sent_.find(report.cluster);
  const auto source = find_(report.cluster);
  if (it == sent_.end() || !source) return;
  auto& sent = it->second;
  const auto& feed = *source->feed;
  if (ack.refused) {
    // The ways have not settled yet, or it is reported by another one now.
    sent.known = false;
    return Rest(report.cluster);
  }
  const bool fits = ack.epoch.value == feed.epoch() && (report.full || feed.Covers(feed.epoch(), ack.have));
  if (ack.want_full || !fits) {
    sent.known = true;
    sent.full = true;
    sent.at = 0;
    if (++sent.wholes > kMostWhole) return Rest(report.cluster);
    return Queue(report.cluster);
  }
  const bool whole = !report.digest.empty() && ack.have == report.to;
  sent.known = true;
  sent.at = ack.have;
  if (whole) {
    sent.full = false;
    sent.wholes = 0;
  }
  if (!whole || sent.at != feed.at()) Queue(report.cluster);
}

void ReportLine::Rest(const std::string& cluster) { resting_.insert(cluster); }

void ReportLine::RestTimer() {
  if (resting_.empty() || rest_ != 0) return;
  rest_ = context_.timers.At(context_.clock.SteadyNow() + backoff_.Next(), [this] {
    rest_ = 0;
    for (const auto& cluster : std::exchange(resting_, {})) Queue(cluster);
  });
}

}  // namespace ote::agent
