#include "agent/state/mirror.h"

#include <algorithm>

#include "agent/state/rows.h"
#include "core/api/verbs.h"

namespace ote::agent {
namespace {

constexpr std::chrono::milliseconds kTryWritingAgain{10'000};

}  // namespace

State::State(Context& context, Members& members, Uplink& uplink)
    : context_(context),
      members_(members),
      line_(
          context, uplink, [this](const std::string& cluster) { return Reported(cluster); },
          [this] {
            std::vector<std::string> all;
            for (const auto& [cluster, source] : sources_) {
              if (Reported(cluster)) all.push_back(cluster);
            }
            return all;
          }),
      distance_(uplink, *this) {}

State::~State() { context_.timers.Cancel(write_); }

Result<void> State::Start() {
  OTE_CHECK(Load());
  const auto& self = context_.membership.name;
  if (!sources_.contains(self)) {
    sources_.emplace(self, Source{tree::StateFeed(RandomU64() | 1), "", true, 0, 0});
    WriteSoon(self);
  }
  std::vector<std::pair<std::int64_t, std::string>> events;
  for (const auto& [name, entry] : Own().feed.List(state::kEvent)) events.emplace_back(entry->seq, *name);
  std::sort(events.begin(), events.end());
  for (auto& [seq, name] : events) events_.push_back(std::move(name));
  context_.rpc.RegisterCall<api::StateReport>(
      api::verb::kStateReport, kByMember,
      [this](const Request& request, const api::StateReport& report) -> Result<api::StateAck> {
        api::StateAck ack;
        for (const auto& source : report.sources) ack.sources.push_back(Take(request.caller().name, source));
        return ack;
      });
  members_.OnChange([this](const api::Cluster& cluster, bool removed) { MemberChanged(cluster, removed); });
  line_.Start();
  distance_.Start();
  return {};
}

Result<void> State::Load() {
  OTE_TRY(const auto rows, context_.store.List<SourceRow>());
  for (const auto& row : rows) {
    Source source;
    source.feed.Load(row.epoch.value, row.at, row.floor);
    ReportedBy(row.cluster, source, row.via);
    source.fresh_at = row.fresh_at;
    source.dropped = row.dropped;
    source.current = row.cluster == context_.membership.name;
    sources_.emplace(row.cluster, std::move(source));
  }
  OTE_TRY(auto things, context_.store.List<ThingRow>());
  for (auto& thing : things) {
    const auto it = sources_.find(thing.cluster);
    if (it == sources_.end()) continue;
    it->second.feed.Load({thing.kind, thing.name}, {thing.seq, thing.gone, std::move(thing.value)});
  }
  return {};
}

void State::Set(std::string_view kind, const std::string& name, Json value) {
  const tree::StateKey key{std::string(kind), name};
  const bool fresh = Own().feed.Find(key) == nullptr || Own().feed.Find(key)->gone;
  const auto changed = Own().feed.Set(key, DumpCbor(value));
  if (!changed) {
    if (limiter_.Allow(context_.clock.SteadyNow())) {
      log::Warn("state left out", {{"kind", key.kind}, {"name", name}, {"why", changed.error().message}});
    }
    return;
  }
  if (!*changed) return;
  if (kind == state::kEvent) {
    // A changed one, such as one that happened again, is the newest.
    if (!fresh) events_.erase(std::remove(events_.begin(), events_.end(), name), events_.end());
    events_.push_back(name);
    DropEvents();
  }
  OwnChanged(key);
}

void State::DropEvents() {
  while (events_.size() > kMostEvents) {
    const tree::StateKey oldest{std::string(state::kEvent), events_.front()};
    events_.pop_front();
    ++Own().dropped;
    if (Own().feed.Remove(oldest)) Notify(context_.membership.name, {oldest});
  }
}

void State::Remove(std::string_view kind, const std::string& name) {
  const tree::StateKey key{std::string(kind), name};
  if (!Own().feed.Remove(key)) return;
  if (kind == state::kEvent) events_.erase(std::remove(events_.begin(), events_.end(), name), events_.end());
  OwnChanged(key);
}

void State::OwnChanged(const tree::StateKey& key) {
  const auto& self = context_.membership.name;
  WriteSoon(self);
  line_.Touched(self);
  Notify(self, {key});
}

void State::Notify(const std::string& cluster, const std::vector<tree::StateKey>& keys) {
  if (listeners_.empty()) return;
  for (const auto& key : keys) {
    const auto it = sources_.find(cluster);
    const auto* entry = it == sources_.end() ? nullptr : it->second.feed.Find(key);
    if (entry == nullptr || entry->gone) {
      for (const auto& listener : listeners_) listener(cluster, key.kind, key.name, nullptr);
    } else if (const auto value = ParseCbor(entry->value)) {
      for (const auto& listener : listeners_) listener(cluster, key.kind, key.name, &*value);
    }
  }
}

std::map<std::string, Json> State::List(const std::string& cluster, std::string_view kind) const {
  std::map<std::string, Json> found;
  const auto it = sources_.find(cluster);
  if (it == sources_.end()) return found;
  for (const auto& [name, entry] : it->second.feed.List(kind)) {
    if (auto value = ParseCbor(entry->value)) found.emplace(*name, std::move(*value));
  }
  return found;
}

UnixMillis State::FreshAt(const std::string& cluster) const {
  const auto it = sources_.find(cluster);
  if (it == sources_.end()) return 0;
  const bool here = cluster == context_.membership.name;
  if (here || (it->second.current && members_.WayTo(cluster))) return context_.clock.WallNow();
  return it->second.fresh_at;
}

std::int64_t State::EventsDropped(const std::string& cluster) const {
  const auto it = sources_.find(cluster);
  return it == sources_.end() ? 0 : it->second.dropped;
}

api::SourceAck State::Take(const std::string& child, const api::SourceReport& report) {
  api::SourceAck ack;
  ack.cluster = report.cluster;
  ack.epoch = report.epoch;
  if (report.cluster == context_.membership.name || !members_.IsBelow(child, report.cluster)) {
    if (limiter_.Allow(context_.clock.SteadyNow())) {
      log::Warn("report refused: not below the one that sends it", {{"of", report.cluster}, {"by", child}});
    }
    ack.refused = true;
    return ack;
  }
  auto& source = sources_[report.cluster];
  std::vector<tree::StateKey> changed;
  const auto at = source.feed.at();
  const auto took = source.feed.Apply(report, &changed);
  if (!took) {
    if (limiter_.Allow(context_.clock.SteadyNow())) {
      log::Warn("report refused", {{"of", report.cluster}, {"why", took.error().message}});
    }
    ack.refused = true;
    return ack;
  }
  const bool moved = source.via != child;
  ReportedBy(report.cluster, source, child);
  source.dropped = report.dropped;
  ack.epoch = BigId{source.feed.HaveEpoch()};
  ack.have = source.feed.Have();
  ack.want_full = *took == tree::StateFeed::Took::kWantFull;
  const bool whole = *took == tree::StateFeed::Took::kWhole;
  const bool confirmed = whole && !source.current;
  if (whole) source.fresh_at = context_.clock.WallNow();
  source.current = whole || (source.current && *took == tree::StateFeed::Took::kMore);
  if (source.feed.at() != at || !changed.empty() || moved) WriteSoon(report.cluster);
  if (source.feed.at() != at || !changed.empty() || moved || confirmed) line_.Touched(report.cluster);
  Notify(report.cluster, changed);
  return ack;
}

void State::MemberChanged(const api::Cluster& cluster, bool removed) {
  // One that is below somebody else now is told of there.
  if (removed || !members_.Find(cluster.name)) return Drop(cluster.name);
  if (members_.WayTo(cluster.name)) return;
  const auto cut = [&](const std::string& name) {
    const auto it = sources_.find(name);
    if (it == sources_.end() || !it->second.current) return;
    if (it->second.fresh_at >= cluster.last_seen) return;
    it->second.fresh_at = cluster.last_seen;
    WriteSoon(name);
  };
  cut(cluster.name);
  const auto told = by_via_.find(cluster.name);
  if (told == by_via_.end()) return;
  for (const auto& name : told->second) cut(name);
}

void State::ReportedBy(const std::string& cluster, Source& source, const std::string& via) {
  if (source.via == via) return;
  if (const auto it = by_via_.find(source.via); it != by_via_.end()) {
    it->second.erase(cluster);
    if (it->second.empty()) by_via_.erase(it);
  }
  source.via = via;
  if (!via.empty()) by_via_[via].insert(cluster);
}

void State::Drop(const std::string& cluster) {
  const auto it = sources_.find(cluster);
  if (it == sources_.end() || cluster == context_.membership.name) return;
  const auto keys = it->second.feed.Keys();
  const auto removed = context_.store.Transaction([&]() -> Result<void> {
    for (const auto& key : keys) {
      OTE_CHECK(context_.store.Remove<ThingRow>(ThingRow{cluster, key.kind, key.name, 0, false, {}}.Key()));
    }
    OTE_CHECK(context_.store.Remove<SourceRow>(cluster));
    return {};
  });
  // Rows that stay are passed over at the next start.
  if (!removed) log::Warn("state of a removed cluster not removed", {{"why", removed.error().message}});
  ReportedBy(cluster, it->second, {});
  sources_.erase(it);
  unwritten_.erase(cluster);
  line_.Forget(cluster);
  Notify(cluster, keys);
}

void State::WriteSoon(const std::string& cluster) {
  unwritten_.insert(cluster);
  if (write_ == 0) write_ = context_.timers.At(context_.clock.SteadyNow() + kWriteAfter, [this] { Write(); });
}

void State::Write() {
  write_ = 0;
  std::map<std::string, std::set<tree::StateKey>> keys;
  for (const auto& cluster : unwritten_) {
    if (const auto it = sources_.find(cluster); it != sources_.end()) keys[cluster] = it->second.feed.TakeUnsaved();
  }
  const auto written = context_.store.Transaction([&]() -> Result<void> {
    for (const auto& [cluster, changed] : keys) OTE_CHECK(WriteSource(cluster, changed));
    return {};
  });
  if (written) {
    unwritten_.clear();
    return;
  }
  log::Error("state of clusters not written", {{"why", written.error().message}});
  for (auto& [cluster, changed] : keys) sources_.at(cluster).feed.PutBackUnsaved(std::move(changed));
  write_ = context_.timers.At(context_.clock.SteadyNow() + kTryWritingAgain, [this] { Write(); });
}

Result<void> State::WriteSource(const std::string& cluster, const std::set<tree::StateKey>& keys) {
  const auto& source = sources_.at(cluster);
  for (const auto& key : keys) {
    const auto* entry = source.feed.Find(key);
    ThingRow row{cluster, key.kind, key.name, 0, false, {}};
    if (entry == nullptr) {
      OTE_CHECK(context_.store.Remove<ThingRow>(row.Key()));
      continue;
    }
    row.seq = entry->seq;
    row.gone = entry->gone;
    row.value = entry->value;
    OTE_CHECK(context_.store.Put(row));
  }
  SourceRow head;
  head.cluster = cluster;
  head.epoch = BigId{source.feed.epoch()};
  head.at = source.feed.at();
  head.floor = source.feed.floor();
  head.via = source.via;
  head.fresh_at = source.fresh_at;
  head.dropped = source.dropped;
  return context_.store.Put(head);
}

std::optional<ReportLine::Source> State::Reported(const std::string& cluster) const {
  const auto it = sources_.find(cluster);
  if (it == sources_.end()) return std::nullopt;
  const auto& source = it->second;
  // One that moved away is reported by whom it hangs on now.
  if (!source.via.empty() && !members_.IsBelow(source.via, cluster)) return std::nullopt;
  // What may be older than what others know of it is not passed on.
  if (!source.current) return std::nullopt;
  return ReportLine::Source{&source.feed, source.dropped};
}

}  // namespace ote::agent
