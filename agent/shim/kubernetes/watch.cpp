#include "agent/shim/kubernetes/watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/shim/kubernetes/json.h"

namespace ote::kube {
namespace {

constexpr int kPage = 500;

}  // namespace

Watch::Watch(Api& api, std::string path, std::string query, Sink sink)
    : api_(api), path_(std::move(path)), query_(std::move(query)), sink_(std::move(sink)) {}

Watch::~Watch() {
  if (request_ != 0) api_.Cancel(request_);
}

void Watch::Start() { List(""); }

std::string Watch::Query(const std::string& more) const {
  return fmt::format("{}?{}{}{}", path_, more, query_.empty() ? "" : "&", query_);
}

// Soon after what went well, ever later after failures; never at the same time as others.
void Watch::Later(std::function<void()> fn, bool failed) {
  failures_ = failed ? failures_ + 1 : 0;
  const std::int64_t most = failed ? std::min<std::int64_t>(30'000, 500LL << std::min(failures_, 10)) : 200;
  const std::chrono::milliseconds wait(std::uniform_int_distribution<std::int64_t>(most / 2, most)(random_));
  api_.After(wait, [alive = std::weak_ptr<bool>(alive_), fn = std::move(fn)] {
    if (alive.lock()) fn();
  });
}

void Watch::List(const std::string& from) {
  lost_ = false;
  if (from.empty()) sink_.begin();
  // Tokens that expire sooner than the pages can be fetched: all at once.
  const bool paged = expired_ < 2;
  std::string more = paged ? fmt::format("limit={}", kPage) : std::string("resourceVersion=");
  if (!from.empty()) more += "&continue=" + Escape(from);
  Request request = Get(Query(more));
  request.patience = std::chrono::minutes(2);
  request_ = api_.Send(std::move(request), [this, paged, alive = std::weak_ptr<bool>(alive_)](Result<Answer> answer) {
    if (alive.lock()) Listed(std::move(answer), paged);
  });
}

void Watch::Listed(Result<Answer> answer, bool paged) {
  request_ = 0;
  if (answer && answer->status == 410) {
    ++expired_;
    return Later([this] { List(""); }, expired_ > 3);
  }
  auto list = [&]() -> Result<Json> {
    OTE_CHECK(answer);
    OTE_CHECK(CheckAnswer(*answer, path_));
    OTE_TRY(Json json, ParseAnswer(answer->body));
    if (!At(json, {"items"}).is_array() && !At(json, {"items"}).is_null()) {
      return Fail(ErrorId::kKubeFailed, path_ + ": the answer is no list");
    }
    return json;
  }();
  if (!list) {
    sink_.health(&list.error());
    return Later([this] { List(""); }, true);
  }
  kind_ = TextAt(*list, {"kind"});
  if (kind_.ends_with("List")) kind_.resize(kind_.size() - 4);
  if (list->contains("items")) {
    for (Json& item : (*list)["items"]) {
      if (item.is_object() && !item.contains("kind")) item["kind"] = kind_;
      sink_.item(item);
    }
  }
  if (const std::string next = TextAt(*list, {"metadata", "continue"}); paged && !next.empty()) return List(next);
  expired_ = 0;
  version_ = TextAt(*list, {"metadata", "resourceVersion"});
  sink_.end();
  sink_.health(nullptr);
  Open();
}

void Watch::Open() {
  splitter_ = std::make_unique<ObjectSplitter>();
  const int seconds = std::uniform_int_distribution<int>(240, 480)(random_);
  Request request = Get(Query(
      fmt::format("watch=1&resourceVersion={}&allowWatchBookmarks=true&timeoutSeconds={}", Escape(version_), seconds)));
  // Where nothing happens and the kind has no bookmarks nothing comes; a line that is dead TCP finds out.
  request.patience = std::chrono::seconds(seconds + 30);
  request.opened = [this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.lock()) return;
    open_ = true;
    sink_.health(nullptr);
  };
  request.chunk = [this, alive = std::weak_ptr<bool>(alive_)](std::string_view bytes) {
    if (!alive.lock()) return false;
    return splitter_->Feed(bytes, [this](std::string_view text) { return Take(text); });
  };
  request_ = api_.Send(std::move(request), [this, alive = std::weak_ptr<bool>(alive_)](Result<Answer> answer) {
    if (alive.lock()) Ended(std::move(answer));
  });
}

bool Watch::Take(std::string_view text) {
  auto event = ParseAnswer(text);
  const std::string type = event ? TextAt(*event, {"type"}) : std::string();
  const Json object = event ? At(*event, {"object"}) : Json();
  if (type == "ADDED" || type == "MODIFIED" || type == "DELETED" || type == "BOOKMARK") {
    const std::string version = TextAt(object, {"metadata", "resourceVersion"});
    if (!version.empty()) version_ = version;
    failures_ = losses_ = 0;
    if (type != "BOOKMARK") sink_.event(type, object);
    return true;
  }
  // An ERROR holds a Status: 410, or something that only a new list can make good. So with what cannot be read.
  lost_ = true;
  return false;
}

void Watch::Ended(Result<Answer> answer) {
  request_ = 0;
  const bool was_open = std::exchange(open_, false);
  if (lost_ || (answer && answer->status == 410)) return Later([this] { List(""); }, ++losses_ > 1);
  Error error{};
  if (!answer) {
    error = answer.error();
  } else if (auto checked = CheckAnswer(*answer, path_); !checked) {
    error = checked.error();
  } else {
    return Later([this] { Open(); }, false);
  }
  const bool again = error.id == ErrorId::kKubeUnreachable;
  // Lines break, and servers are restarted: that is news when it cannot be mended at once.
  if (!again || (!was_open && failures_ > 0)) sink_.health(&error);
  // What was refused or is not there may come back as something else.
  Later([this, again] { again ? Open() : List(""); }, true);
}

}  // namespace ote::kube
