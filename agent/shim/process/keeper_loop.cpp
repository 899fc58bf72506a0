#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "agent/shim/process/keeper.h"

namespace ote::agent::process {
namespace {

constexpr std::int64_t kLookEvery = 10'000;  // at the machine

}  // namespace

Keeper::Keeper(Settings settings, Shim::Hooks hooks)
    : settings_(std::move(settings)),
      hooks_(std::move(hooks)),
      machine_(settings_.folder),
      watch_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      worker_([this](std::function<void()> fn) { Do(std::move(fn)); }),
      thread_([this] { Loop(); }) {}

Keeper::~Keeper() {
  {
    const std::lock_guard lock(mutex_);
    quit_ = true;
  }
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
}

void Keeper::Do(std::function<void()> fn) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(fn));
  }
  ::eventfd_write(wake_.get(), 1);
}

void Keeper::Loop() {
  for (;;) {
    std::vector<std::function<void()>> tasks;
    {
      const std::lock_guard lock(mutex_);
      if (quit_) return;
      tasks.swap(tasks_);
    }
    for (const auto& task : tasks) task();
    // One app may be named many times: what happened to its replicas meanwhile is looked at once.
    while (!unsettled_.empty()) {
      auto keys = std::exchange(unsettled_, {});
      std::sort(keys.begin(), keys.end());
      keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
      for (const auto& key : keys) Reconcile(key);
    }
    Turn();
  }
}

int Keeper::Patience() const {
  std::int64_t next = look_at_;
  const auto sooner = [&next](std::int64_t at) {
    if (at > 0 && (next == 0 || at < next)) next = at;
  };
  for (const auto& [key, app] : apps_) {
    sooner(app.look_at);
    for (const auto& [name, replica] : app.replicas) sooner(replica->retry_at);
  }
  return next == 0 ? -1 : static_cast<int>(std::clamp<std::int64_t>(next - Now(), 0, 1 << 30));
}

void Keeper::Turn() {
  struct Waiting {
    std::string key;
    std::string name;
    bool link;
  };
  std::vector<pollfd> fds = {{wake_.get(), POLLIN, 0}, {watch_.get(), POLLIN, 0}};
  std::vector<Waiting> who(fds.size());
  for (const auto& [key, app] : apps_) {
    for (const auto& [name, replica] : app.replicas) {
      const int fd = replica->link ? replica->link.get() : replica->ready.get();
      if (fd < 0) continue;
      fds.push_back({fd, POLLIN, 0});
      who.push_back({key, name, static_cast<bool>(replica->link)});
    }
  }
  if (::poll(fds.data(), fds.size(), Patience()) < 0) return;
  if (fds[0].revents != 0) {
    eventfd_t count = 0;
    ::eventfd_read(wake_.get(), &count);
  }
  if (fds[1].revents != 0) ReadWatches();
  for (std::size_t i = 2; i < fds.size(); ++i) {
    if (fds[i].revents == 0) continue;
    const auto app = apps_.find(who[i].key);
    if (app == apps_.end()) continue;
    const auto found = app->second.replicas.find(who[i].name);
    if (found == app->second.replicas.end()) continue;
    auto& replica = *found->second;
    if (who[i].link) {
      if (replica.link) Read(app->second, replica);
      continue;
    }
    replica.ready.Close();
    if (!Reach(app->second, replica)) Lost(app->second, replica);
  }
  const auto now = Now();
  for (auto& [key, app] : apps_) {
    if (app.look_at > 0 && app.look_at <= now) {
      app.look_at = 0;
      unsettled_.push_back(key);
    }
    std::vector<Replica*> due;
    for (auto& [name, replica] : app.replicas) {
      if (replica->retry_at > 0 && replica->retry_at <= now) due.push_back(replica.get());
    }
    for (auto* replica : due) {
      replica->retry_at = 0;
      if (!replica->stopping) {
        Raise(app, *replica);
      } else if (!Reach(app, *replica)) {
        Lost(app, *replica);
      }
      unsettled_.push_back(key);
    }
  }
  if (look_at_ > 0 && look_at_ <= now) LookAround();
}

void Keeper::LookAround() {
  look_at_ = Now() + kLookEvery;
  auto status = machine_.Look();
  if (machine_told_ && !Differs(*machine_told_, status)) return;
  machine_told_ = status;
  if (hooks_.cluster) settings_.post([hook = hooks_.cluster, status = std::move(status)] { hook(status); });
}

}  // namespace ote::agent::process
