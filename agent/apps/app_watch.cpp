// Apps as they are asked for: one, all, and one that is watched.
#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "agent/apps/app_desk.h"

namespace ote::agent {

Result<api::AppView> AppDesk::Show(const api::AppShowRequest& asked, const Sees& sees, const std::string& who) const {
  if (const auto it = apps_.find(asked.name); it != apps_.end()) {
    auto view = asked.limit > 0 ? PageOf(it->second, asked, sees) : ViewOf(it->second, true);
    view.share = ShareOf(it->second, sees, who);
    return view;
  }
  if (site_ != nullptr) {
    OTE_TRY(const auto key, site_->KeyOf(asked.name));
    return site_->View(key);
  }
  return Fail(ErrorId::kAppUnknown, fmt::format("app {}: there is none", asked.name), "ote app list");
}

api::AppList AppDesk::List() const {
  api::AppList list;
  for (const auto& [name, live] : apps_) list.items.push_back(ViewOf(live, false));
  if (site_ == nullptr) return list;
  for (auto& view : site_->List()) {
    view.spec.reset();
    view.revisions.clear();
    view.history.clear();
    list.items.push_back(std::move(view));
  }
  return list;
}

void AppDesk::Watch(Request request) {
  const auto body = FromWire<api::NameRequest>(request.envelope().body);
  if (!body) return request.Refuse(body.error());
  if (auto view = Show({body->name, {}, 0}, {}, {}); !view) return request.Refuse(view.error());
  if (watchers_.size() >= kMostWatchers) {
    return request.Refuse(Error{ErrorId::kBusy, fmt::format("app.watch: {} others watch already", kMostWatchers), {}});
  }
  auto name = body->name;
  if (!apps_.contains(name) && site_ != nullptr) name = site_->KeyOf(name).value_or(name);
  watchers_.push_back(Watcher{std::move(request), std::move(name), 0, std::nullopt});
  const auto watcher = std::prev(watchers_.end());
  watcher->request.OnGone([this, watcher, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.lock()) Drop(watcher, Error{ErrorId::kInterrupted, "app.watch: nobody watches any more", {}});
  });
  Tell(watcher);
}

void AppDesk::Drop(WatcherPlace watcher, const Error& why) {
  context_.timers.Cancel(watcher->timer);
  watcher->request.Refuse(why);
  watchers_.erase(watcher);
}

void AppDesk::TellWatchers(const std::string& name) {
  for (auto it = watchers_.begin(); it != watchers_.end(); ++it) {
    if (it->name == name && !it->stuck_since) TellLater(it, kBreath);
  }
}

void AppDesk::TellLater(WatcherPlace watcher, std::chrono::milliseconds pause) {
  context_.timers.Cancel(watcher->timer);
  watcher->timer = context_.timers.At(context_.clock.SteadyNow() + pause, [this, watcher] {
    watcher->timer = 0;
    Tell(watcher);
  });
}

void AppDesk::Tell(WatcherPlace watcher) {
  auto view = Show({watcher->name, {}, 0}, {}, {});
  if (!view) {
    api::AppView gone;
    gone.name = watcher->name;
    gone.removed = true;
    watcher->request.Answer(ToJson(gone));
    watchers_.erase(watcher);
    return;
  }
  view->spec.reset();
  if (watcher->request.Item(ToJson(*view))) {
    watcher->stuck_since.reset();
    return TellLater(watcher, kRepeat);
  }
  const auto now = context_.clock.SteadyNow();
  if (!watcher->stuck_since) watcher->stuck_since = now;
  const bool gone = watcher->request.Gone();
  if (!gone && now - *watcher->stuck_since < kGiveUp) return TellLater(watcher, std::chrono::milliseconds(250));
  Drop(watcher, Error{ErrorId::kBusy, "app.watch: too slow", {}});
}

}  // namespace ote::agent
