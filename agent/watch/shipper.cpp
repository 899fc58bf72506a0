#include "agent/watch/shipper.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include "agent/watch/bulk_answer.h"
#include "agent/watch/gzip.h"
#include "agent/watch/spool.h"
#include "core/base/log.h"
#include "core/base/version.h"

namespace ote::agent {

using std::chrono::milliseconds;

Json ShippedDocument(const log::Record& record, const std::string& cluster) {
  Json labels = Json::object();
  for (const auto& field : record.fields) labels[std::string(field.key)] = field.value;
  return {{"@timestamp", FormatTime(record.at)},
          {"message", std::string(record.event)},
          {"log", {{"level", std::string(log::LevelName(record.level))}}},
          {"service", {{"name", "ote-agent"}, {"version", std::string(Version())}}},
          {"ote", {{"cluster", cluster}}},
          {"labels", std::move(labels)}};
}

struct Shipper::State {
  std::string cluster;
  api::ShipSettings settings;
  BulkSender send;
  Pace pace;
  std::unique_ptr<Spool> spool;
  SystemClock clock;
  mutable std::mutex mutex;
  std::condition_variable_any wake;
  std::uint64_t appended = 0;  // since the thread looked last
  api::ShipStatus status;
  log::Limiter limiter{1, std::chrono::minutes(5)};
  std::mt19937_64 random{std::random_device{}()};
  std::jthread thread;

  void Loop(const std::stop_token& stop);
  // One batch until it is done; false when stopped.
  bool Ship(Spool::Batch batch, const std::stop_token& stop);
  void Count(std::size_t sent, std::size_t refused, const std::string& why);
  void Failed(const std::string& why);
  bool Pause(milliseconds at_least, int failures, const std::stop_token& stop);
  std::string BodyOf(const std::vector<SpoolItem>& items) const;
};

std::string Shipper::State::BodyOf(const std::vector<SpoolItem>& items) const {
  std::string body;
  for (const auto& item : items) {
    body += DumpJson(Json{{"create", {{"_index", api::IndexAt(settings.index, item.at)}, {"_id", item.id}}}});
    body += "\n" + item.doc + "\n";
  }
  return Gzip(body);
}

void Shipper::State::Count(std::size_t sent, std::size_t refused, const std::string& why) {
  bool tell = false;
  {
    const std::lock_guard guard(mutex);
    status.sent += static_cast<std::int64_t>(sent);
    status.refused += static_cast<std::int64_t>(refused);
    if (sent > 0) status.last_sent = clock.WallNow();
    status.message.clear();
    tell = refused > 0 && limiter.Allow(clock.SteadyNow());
  }
  if (tell) log::Warn("records of the log are refused", {{"count", refused}, {"why", why}});
}

void Shipper::State::Failed(const std::string& why) {
  bool tell = false;
  {
    const std::lock_guard guard(mutex);
    ++status.failures;
    status.message = why;
    tell = limiter.Allow(clock.SteadyNow());
  }
  if (tell) log::Warn("the log is not sent, it waits in the spool", {{"why", why}});
}

bool Shipper::State::Pause(milliseconds at_least, int failures, const std::stop_token& stop) {
  const auto grown = pace.first_pause * (1LL << std::min(failures, 20));
  const auto most = std::min<milliseconds>(grown, pace.longest_pause);
  // Half of it fixed and half by chance, so that many agents do not come back at once.
  std::uniform_int_distribution<std::int64_t> jitter(most.count() / 2, most.count());
  const auto pause = std::max(milliseconds(jitter(random)), std::min(at_least, pace.longest_pause * 10));
  std::unique_lock lock(mutex);
  wake.wait_for(lock, stop, pause, [] { return false; });
  return !stop.stop_requested();
}

bool Shipper::State::Ship(Spool::Batch batch, const std::stop_token& stop) {
  auto items = std::move(batch.items);
  std::size_t together = items.size();  // fewer when the other side finds them too large
  int failures = 0;
  while (!items.empty()) {
    const auto count = static_cast<std::ptrdiff_t>(std::min(together, items.size()));
    std::vector<SpoolItem> part(items.begin(), items.begin() + count);
    const BulkReply reply = send(BodyOf(part), stop);
    if (stop.stop_requested() && reply.status == 0) return false;
    milliseconds at_least = reply.retry_after;
    if (reply.status == 200) {
      const auto verdict = ReadBulkAnswer(reply.body, part.size());
      if (verdict) {
        std::vector<SpoolItem> again;
        std::size_t taken = 0;
        for (std::size_t i = 0; i < part.size(); ++i) {
          if (verdict->items[i] == ItemVerdict::kAgain) again.push_back(std::move(part[i]));
          if (verdict->items[i] == ItemVerdict::kTaken) ++taken;
        }
        const bool progress = again.size() < part.size();
        items.erase(items.begin(), items.begin() + count);
        Count(taken, part.size() - taken - again.size(), verdict->reason);
        if (again.empty()) {
          failures = 0;
          continue;
        }
        Failed(fmt::format("{} of {} records again: {}", again.size(), part.size(), verdict->reason));
        items.insert(items.begin(), std::make_move_iterator(again.begin()), std::make_move_iterator(again.end()));
        if (progress) failures = 0;
      } else {
        Failed(verdict.error().message);
      }
    } else if ((reply.status == 413 || reply.status == 400) && part.size() > 1) {
      together = std::max<std::size_t>(part.size() / 2, 1);
      Failed(fmt::format("status {}: {} records are tried as {}", reply.status, part.size(), together));
      continue;
    } else if (reply.status == 413 || reply.status == 400) {
      items.erase(items.begin());
      Count(0, 1, fmt::format("status {}", reply.status));
      continue;
    } else {
      Failed(reply.status == 0 ? reply.message : fmt::format("status {}", reply.status));
    }
    if (!Pause(at_least, failures++, stop)) return false;
  }
  if (const auto done = spool->Done(batch.end); !done) Failed(done.error().message);
  return true;
}

void Shipper::State::Loop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    auto batch = spool->Next(pace.most, pace.bytes);
    if (batch.items.empty()) {
      // Nothing, or lines that cannot be read, which are passed over.
      if (const auto done = spool->Done(batch.end); !done) Failed(done.error().message);
      std::unique_lock lock(mutex);
      wake.wait(lock, stop, [this] { return appended > 0; });
      if (stop.stop_requested()) return;
    }
    if (batch.items.size() < pace.most) {
      // Not full: a moment for more.
      std::unique_lock lock(mutex);
      wake.wait_for(lock, stop, pace.gather, [this] { return appended >= pace.most; });
      if (stop.stop_requested()) return;
      appended = 0;
      lock.unlock();
      batch = spool->Next(pace.most, pace.bytes);
    }
    if (!batch.items.empty() && !Ship(std::move(batch), stop)) return;
  }
}

Shipper::Shipper(std::unique_ptr<State> state) : state_(std::move(state)) {}

Shipper::~Shipper() {
  state_->thread.request_stop();
  state_->thread.join();
}

Result<std::unique_ptr<Shipper>> Shipper::Start(const std::filesystem::path& folder, const std::string& cluster,
                                                const api::ShipSettings& settings, BulkSender send, Pace pace) {
  OTE_CHECK(api::CheckShip(settings));
  auto state = std::make_unique<State>();
  state->cluster = cluster;
  state->settings = settings;
  state->send = std::move(send);
  state->pace = pace;
  OTE_TRY(state->spool, Spool::Open(folder, cluster, static_cast<std::uint64_t>(settings.spool)));
  state->status.url = settings.url;
  State& it = *state;
  state->thread = std::jthread([&it](const std::stop_token& stop) { it.Loop(stop); });
  return std::unique_ptr<Shipper>(new Shipper(std::move(state)));
}

void Shipper::Take(const log::Record& record) {
  state_->spool->Append(record.at, ShippedDocument(record, state_->cluster));
  {
    const std::lock_guard guard(state_->mutex);
    ++state_->appended;
  }
  state_->wake.notify_all();
}

api::ShipStatus Shipper::Status() const {
  api::ShipStatus status;
  {
    const std::lock_guard guard(state_->mutex);
    status = state_->status;
  }
  status.waiting = static_cast<std::int64_t>(state_->spool->Waiting());
  status.bytes = static_cast<std::int64_t>(state_->spool->Bytes());
  status.dropped = static_cast<std::int64_t>(state_->spool->Dropped());
  return status;
}

}  // namespace ote::agent
