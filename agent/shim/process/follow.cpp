#include <sys/inotify.h>

#include <algorithm>
#include <array>

#include "agent/shim/process/keeper.h"

namespace ote::agent::process {

void Keeper::Logs(std::uint64_t id, const LogQuery& query, std::function<bool(const LogLine&)> line, Shim::Done done) {
  const auto app = apps_.find(query.app);
  if (app == apps_.end())
    return Answer(std::move(done), Fail(ErrorId::kAppUnknown, "app " + query.app + ": not on this cluster"));
  Follower follower;
  follower.query = query;
  follower.line = std::move(line);
  follower.done = std::move(done);
  for (const auto& [name, replica] : app->second.replicas) {
    if (query.replica.empty() || query.replica == replica->spec.name)
      follower.readers.emplace_back(replica->folder, replica->spec.name);
  }
  if (follower.readers.empty() && !query.replica.empty())
    return Answer(std::move(follower.done),
                  Fail(ErrorId::kNotFound, "app " + query.app + ": no replica " + query.replica));
  auto& kept = followers_[id] = std::move(follower);
  if (query.follow) {
    for (const auto& reader : kept.readers) Watch(kept, reader.folder());
  }
  Pump(id, true);
}

void Keeper::Watch(Follower& follower, const std::filesystem::path& folder) {
  follower.watches[folder.string()] =
      ::inotify_add_watch(watch_.get(), folder.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
}

// A replica that begins while its app is followed is followed, too.
void Keeper::FollowNew(const App& app, const Replica& replica) {
  std::vector<std::uint64_t> ids;
  for (auto& [id, follower] : followers_) {
    if (!follower.query.follow || follower.query.app != app.key) continue;
    if (!follower.query.replica.empty() && follower.query.replica != replica.spec.name) continue;
    std::erase_if(follower.readers, [](const auto& reader) { return !std::filesystem::exists(reader.folder()); });
    const bool known = std::any_of(follower.readers.begin(), follower.readers.end(),
                                   [&replica](const auto& reader) { return reader.folder() == replica.folder; });
    if (!known) follower.readers.emplace_back(replica.folder, replica.spec.name);
    Watch(follower, replica.folder);
    ids.push_back(id);
  }
  for (const auto id : ids) Pump(id, false);
}

void Keeper::EndLogs(std::uint64_t id) {
  const auto found = followers_.find(id);
  if (found == followers_.end()) return;
  auto done = std::move(found->second.done);
  followers_.erase(found);
  Answer(std::move(done), {});
}

// Hands on what there is, when the agent is through with what it got before.
void Keeper::Pump(std::uint64_t id, bool first) {
  const auto found = followers_.find(id);
  if (found == followers_.end() || found->second.busy) return;
  auto& follower = found->second;
  std::vector<LogLine> lines;
  for (auto& reader : follower.readers) {
    auto some = first ? reader.Begin(follower.query.tail) : reader.Next();
    lines.insert(lines.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
  }
  if (follower.readers.size() > 1)
    std::stable_sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) { return a.at < b.at; });
  const auto tail = follower.query.tail;
  if (first && tail >= 0 && std::cmp_greater(lines.size(), tail)) lines.erase(lines.begin(), lines.end() - tail);
  if (lines.empty()) {
    if (!follower.query.follow) EndLogs(id);
    return;
  }
  follower.busy = true;
  // The keeper outlives what it posts: `post` drops what comes after it is gone.
  settings_.post([this, id, line = follower.line, lines = std::move(lines)] {
    const bool more = std::all_of(lines.begin(), lines.end(), line);
    Do([this, id, more] {
      const auto it = followers_.find(id);
      if (it == followers_.end()) return;
      it->second.busy = false;
      if (!more || !it->second.query.follow) return EndLogs(id);
      Pump(id, false);
    });
  });
}

void Keeper::ReadWatches() {
  alignas(inotify_event) std::array<char, 16384> buffer;  // NOLINT: filled by read
  // Which of them does not matter: those that have nothing new find it out quickly.
  while (::read(watch_.get(), buffer.data(), buffer.size()) > 0) {
  }
  std::vector<std::uint64_t> ids;
  for (const auto& [id, follower] : followers_) {
    if (follower.query.follow) ids.push_back(id);
  }
  for (const auto id : ids) Pump(id, false);
}

}  // namespace ote::agent::process
