#include "agent/apps/log_desk.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/ids.h"

namespace ote::agent {

LogDesk::~LogDesk() {
  for (auto& [id, reader] : readers_) {
    context_.timers.Cancel(reader.timer);
    if (reader.cancel) reader.cancel();
  }
}

void LogDesk::Start() {
  context_.rpc.Register(api::verb::kAppLogs, kByOperator | kByParent,
                        [this](Request request) { Serve(std::move(request)); });
}

void LogDesk::Serve(Request request) {
  const auto asked = FromWire<api::AppLogsRequest>(request.envelope().body);
  if (!asked) return request.Refuse(asked.error());
  if (request.who() == kByOperator) return Begin(std::move(request), *asked);
  // Those above read what they deployed here, and nothing of the cluster's own.
  const auto own = context_.membership.Own();
  const auto& from = request.envelope().from;
  const std::string whose = !from.empty() ? from : own ? own->parent : std::string();
  if (whose.empty() || !asked->app.starts_with(whose + "/")) {
    return request.Refuse(
        Error{ErrorId::kPermission, fmt::format("app {}: it is not an app of {}", asked->app, whose), {}});
  }
  auto waiting = std::make_shared<Request>(std::move(request));
  Poll(*asked, [waiting](const Result<api::AppLogChunk>& chunk) {
    if (!chunk) return waiting->Refuse(chunk.error());
    waiting->Answer(ToJson(*chunk));
  });
}

// The executing side.

void LogDesk::Poll(const api::AppLogsRequest& asked, Answer answer) {
  if (shim_ == nullptr) return answer(Fail(ErrorId::kShimAbsent, context_.membership.name + ": it runs no apps"));
  auto id = asked.reader;
  if (id.empty()) {
    if (readers_.size() >= kMostReaders) {
      return answer(Fail(ErrorId::kBusy, fmt::format("app.logs: {} others read already", kMostReaders)));
    }
    id = NewId("logs");
    auto& reader = readers_[id];
    LogQuery query;
    query.app = asked.app;
    query.replica = asked.replica;
    query.tail = std::clamp<std::int64_t>(asked.tail, 0, kMostTail);
    query.follow = asked.follow;
    const std::weak_ptr<bool> alive = alive_;
    auto cancel = shim_->Logs(
        query,
        [this, alive, id](const LogLine& line) {
          if (!alive.lock()) return false;
          const auto it = readers_.find(id);
          if (it == readers_.end()) return false;
          auto& lines = it->second.lines;
          lines.push_back({line.at, {}, line.replica, line.text.substr(0, kMostBytes / 4)});
          if (lines.size() > kMostHeld) {
            lines.pop_front();
            ++it->second.dropped;
          }
          if (it->second.waits && lines.size() == 1) Arm(id, kBreath);
          return true;
        },
        [this, alive, id](const Result<void>& result) {
          if (!alive.lock()) return;
          const auto it = readers_.find(id);
          if (it == readers_.end()) return;
          it->second.over = true;
          it->second.cancel = {};
          if (!result) it->second.failure = result.error().message;
          if (it->second.waits) Arm(id, {});
        });
    if (const auto it = readers_.find(id); it != readers_.end() && !it->second.over) reader.cancel = std::move(cancel);
  }
  const auto it = readers_.find(id);
  if (it == readers_.end()) {
    return answer(Fail(ErrorId::kNotFound, "app.logs: nobody asked for too long; begin again"));
  }
  auto& reader = it->second;
  if (reader.waits) return answer(Fail(ErrorId::kBusy, "app.logs: asked twice at a time"));
  reader.waits = std::move(answer);
  const bool something = !reader.lines.empty() || reader.over;
  Arm(id, something ? std::chrono::milliseconds{0} : kHold);
}

void LogDesk::Arm(const std::string& id, std::chrono::milliseconds after) {
  auto& reader = readers_.at(id);
  context_.timers.Cancel(reader.timer);
  reader.timer = context_.timers.At(context_.clock.SteadyNow() + after, [this, id] {
    const auto it = readers_.find(id);
    if (it == readers_.end()) return;
    it->second.timer = 0;
    if (it->second.waits) {
      Give(id);
    } else {
      Close(id);
    }
  });
}

void LogDesk::Give(const std::string& id) {
  auto& reader = readers_.at(id);
  const auto answer = std::exchange(reader.waits, {});
  api::AppLogChunk chunk;
  std::size_t bytes = 0;
  while (!reader.lines.empty() && chunk.lines.size() < kMostLines && bytes < kMostBytes) {
    bytes += reader.lines.front().text.size() + 64;
    chunk.lines.push_back(std::move(reader.lines.front()));
    reader.lines.pop_front();
  }
  chunk.dropped = std::exchange(reader.dropped, 0);
  const bool more = !reader.over || !reader.lines.empty();
  if (more) {
    chunk.reader = id;
    Arm(id, kIdle);
  }
  const auto failure = reader.failure;
  if (!more) Close(id);
  if (!more && !failure.empty() && chunk.lines.empty()) return answer(Fail(ErrorId::kShimFailed, failure));
  answer(std::move(chunk));
}

void LogDesk::Close(const std::string& id) {
  auto node = readers_.extract(id);
  if (!node) return;
  context_.timers.Cancel(node.mapped().timer);
  if (node.mapped().cancel) node.mapped().cancel();
}

// The side that was asked by an operator.

void LogDesk::Begin(Request request, const api::AppLogsRequest& asked) {
  auto places = desk_.PlacesOf(asked.app);
  if (!places) return request.Refuse(places.error());
  if (!asked.cluster.empty()) std::erase_if(*places, [&](const auto& place) { return place.cluster != asked.cluster; });
  if (places->empty()) {
    return request.Refuse(Error{ErrorId::kNotFound,
                                asked.cluster.empty() ? fmt::format("app {}: no cluster has it yet", asked.app)
                                                      : fmt::format("app {}: not on {}", asked.app, asked.cluster),
                                "ote app show " + asked.app});
  }
  if (places->size() > kMostSources) {
    return request.Refuse(Error{ErrorId::kUsage,
                                fmt::format("app {}: it is on {} clusters, more than the {} that can be read at once",
                                            asked.app, places->size(), kMostSources),
                                "name one with --cluster"});
  }
  auto stream = std::make_shared<Stream>(Stream{std::move(request), asked, {}, places->size(), false});
  for (auto& place : *places) stream->sources.push_back({std::move(place), {}, false});
  for (std::size_t i = 0; i < stream->sources.size(); ++i) AskFor(stream, i);
}

void LogDesk::AskFor(const StreamPtr& stream, std::size_t source) {
  if (stream->ended) return;
  const auto& from = stream->sources[source];
  api::AppLogsRequest ask = stream->asked;
  ask.app = from.place.key;
  ask.cluster.clear();
  ask.reader = from.reader;
  const std::weak_ptr<bool> alive = alive_;
  if (from.place.cluster == context_.membership.name) {
    return Poll(ask, [this, alive, stream, source](Result<api::AppLogChunk> chunk) {
      if (alive.lock()) Arrived(stream, source, std::move(chunk));
    });
  }
  const auto way = members_.WayTo(from.place.cluster);
  if (!way) {
    return Arrived(
        stream, source,
        Fail(ErrorId::kNoRoute, fmt::format("cluster {}: not reachable now; the logs are there", from.place.cluster)));
  }
  context_.rpc.Call(*way, api::verb::kAppLogs, ToJson(ask), kPatience,
                    [this, alive, stream, source](const Result<wire::Envelope>& reply) {
                      if (!alive.lock()) return;
                      if (!reply) return Arrived(stream, source, Fail(reply.error()));
                      Arrived(stream, source, FromWire<api::AppLogChunk>(reply->body));
                    });
}

void LogDesk::Arrived(const StreamPtr& stream, std::size_t source, Result<api::AppLogChunk> chunk) {
  if (stream->ended) return;
  auto& from = stream->sources[source];
  if (!chunk) {
    auto error = std::move(chunk).error();
    if (stream->sources.size() == 1) {
      stream->ended = true;
      return stream->request.Refuse(std::move(error).Context("cluster " + from.place.cluster));
    }
    api::AppLogLine line;
    line.cluster = from.place.cluster;
    line.text = "(no logs: " + error.message + ")";
    stream->request.Item(ToJson(line));
    return SourceOver(stream, source);
  }
  if (chunk->dropped > 0) {
    api::AppLogLine line;
    line.text = fmt::format("({} lines dropped)", chunk->dropped);
    chunk->lines.insert(chunk->lines.begin(), std::move(line));
  }
  // Nothing came for a while: an empty line finds out whether anybody still listens.
  if (chunk->lines.empty() && !chunk->reader.empty()) chunk->lines.emplace_back();
  from.reader = chunk->reader;
  Pass(stream, source, std::make_shared<api::AppLogChunk>(std::move(*chunk)), 0, {});
}

void LogDesk::Pass(const StreamPtr& stream, std::size_t source, std::shared_ptr<api::AppLogChunk> chunk,
                   std::size_t from, std::chrono::milliseconds stuck) {
  if (stream->ended) return;
  const auto again = [&](std::size_t at, std::chrono::milliseconds so_far, std::chrono::milliseconds pause) {
    context_.timers.At(context_.clock.SteadyNow() + pause,
                       [this, alive = std::weak_ptr<bool>(alive_), stream, source, chunk, at, so_far] {
                         if (alive.lock()) Pass(stream, source, chunk, at, so_far);
                       });
  };
  for (std::size_t i = from; i < chunk->lines.size(); ++i) {
    auto& line = chunk->lines[i];
    line.cluster = stream->sources[source].place.cluster;  // as we know it, whatever it says
    if (stream->request.Item(ToJson(line))) {
      stuck = {};
      continue;
    }
    if (stuck >= kGiveUp) {
      stream->ended = true;
      return stream->request.Refuse(Error{ErrorId::kBusy, "app.logs: too slow", {}});
    }
    return again(i, stuck + kPause, kPause);
  }
  if (stream->sources[source].reader.empty()) return SourceOver(stream, source);
  AskFor(stream, source);
}

void LogDesk::SourceOver(const StreamPtr& stream, std::size_t source) {
  if (std::exchange(stream->sources[source].over, true)) return;
  if (--stream->open > 0 || stream->ended) return;
  stream->ended = true;
  stream->request.Answer(Json::object());
}

}  // namespace ote::agent
