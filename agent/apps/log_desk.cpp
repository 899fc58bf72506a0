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
  if (asked->close) {
    const auto it = readers_.find(asked->reader);
    if (it != readers_.end() && it->second.app == asked->app) Close(asked->reader);
    return request.Answer(ToJson(api::AppLogChunk{}));
  }
  auto waiting = std::make_shared<Request>(std::move(request));
  const auto reader = Poll(*asked, [waiting](const Result<api::AppLogChunk>& chunk) {
    if (!chunk) return waiting->Refuse(chunk.error());
    waiting->Answer(ToJson(*chunk));
  });
  if (reader.empty()) return;
  waiting->OnGone([this, reader, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.lock()) Close(reader);
  });
}

// The executing side.

std::string LogDesk::Poll(const api::AppLogsRequest& asked, Answer answer) {
  const auto refuse = [&answer](ErrorId id, std::string why) {
    answer(Fail(id, std::move(why)));
    return std::string();
  };
  if (shim_ == nullptr) return refuse(ErrorId::kShimAbsent, context_.membership.name + ": it runs no apps");
  auto id = asked.reader;
  if (id.empty()) {
    if (readers_.size() >= kMostReaders) {
      return refuse(ErrorId::kBusy, fmt::format("app.logs: {} others read already", kMostReaders));
    }
    id = NewId("logs");
    auto& reader = readers_[id];
    reader.app = asked.app;
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
  if (it == readers_.end() || it->second.app != asked.app) {
    return refuse(ErrorId::kNotFound, "app.logs: nobody asked for too long; begin again");
  }
  auto& reader = it->second;
  if (reader.waits) return refuse(ErrorId::kBusy, "app.logs: asked twice at a time");
  reader.waits = std::move(answer);
  const bool something = !reader.lines.empty() || reader.over;
  Arm(id, something ? std::chrono::milliseconds{0} : kHold);
  return id;
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
  if (node.mapped().waits) node.mapped().waits(Fail(ErrorId::kInterrupted, "app.logs: nobody reads any more"));
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
  auto stream = std::make_shared<Stream>(Stream{std::move(request), asked, {}, places->size(), false, 0});
  for (auto& place : *places) stream->sources.push_back({std::move(place), {}, 0, false});
  const std::weak_ptr<bool> alive = alive_;
  stream->request.OnGone([this, alive, weak = std::weak_ptr<Stream>(stream)] {
    const Error error{ErrorId::kInterrupted, "app.logs: nobody reads any more", {}};
    if (const auto held = weak.lock(); held && alive.lock()) End(held, &error);
  });
  Probe(stream);
  for (std::size_t i = 0; i < stream->sources.size(); ++i) AskFor(stream, i);
}

void LogDesk::AskFor(const StreamPtr& stream, std::size_t source) {
  if (stream->ended) return;
  auto& from = stream->sources[source];
  api::AppLogsRequest ask = stream->asked;
  ask.app = from.place.key;
  ask.cluster.clear();
  ask.reader = from.reader;
  const std::weak_ptr<bool> alive = alive_;
  if (from.place.cluster == context_.membership.name) {
    const auto reader = Poll(ask, [this, alive, stream, source](Result<api::AppLogChunk> chunk) {
      if (alive.lock()) Arrived(stream, source, std::move(chunk));
    });
    if (!reader.empty()) from.reader = reader;
    return;
  }
  const auto way = members_.WayTo(from.place.cluster);
  if (!way) {
    return Arrived(
        stream, source,
        Fail(ErrorId::kNoRoute, fmt::format("cluster {}: not reachable now; the logs are there", from.place.cluster)));
  }
  from.call = context_.rpc.Call(*way, api::verb::kAppLogs, ToJson(ask), kPatience,
                                [this, alive, stream, source](const Result<wire::Envelope>& reply) {
                                  if (!alive.lock()) return;
                                  stream->sources[source].call = 0;
                                  if (!reply) return Arrived(stream, source, Fail(reply.error()));
                                  Arrived(stream, source, FromWire<api::AppLogChunk>(reply->body));
                                });
}

void LogDesk::Arrived(const StreamPtr& stream, std::size_t source, Result<api::AppLogChunk> chunk) {
  if (stream->ended) return;
  auto& from = stream->sources[source];
  if (!chunk) {
    auto error = std::move(chunk).error();
    from.reader.clear();
    if (stream->sources.size() == 1) {
      error = std::move(error).Context("cluster " + from.place.cluster);
      return End(stream, &error);
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
    if (stuck >= kGiveUp || stream->request.Gone()) {
      const Error error{ErrorId::kBusy, "app.logs: too slow", {}};
      return End(stream, &error);
    }
    return again(i, stuck + kPause, kPause);
  }
  if (stream->sources[source].reader.empty()) return SourceOver(stream, source);
  AskFor(stream, source);
}

void LogDesk::SourceOver(const StreamPtr& stream, std::size_t source) {
  if (std::exchange(stream->sources[source].over, true)) return;
  if (--stream->open > 0 || stream->ended) return;
  End(stream, nullptr);
}

// An empty line finds out whether anybody still listens.
void LogDesk::Probe(const StreamPtr& stream) {
  stream->probe = context_.timers.At(context_.clock.SteadyNow() + kProbe, [this, alive = std::weak_ptr<bool>(alive_),
                                                                           weak = std::weak_ptr<Stream>(stream)] {
    const auto held = weak.lock();
    if (!held || !alive.lock() || held->ended) return;
    if (!held->request.Item(ToJson(api::AppLogLine{})) && held->request.Gone()) {
      const Error error{ErrorId::kInterrupted, "app.logs: nobody reads any more", {}};
      return End(held, &error);
    }
    Probe(held);
  });
}

void LogDesk::End(const StreamPtr& stream, const Error* error) {
  if (std::exchange(stream->ended, true)) return;
  context_.timers.Cancel(stream->probe);
  for (auto& source : stream->sources) {
    if (source.call != 0) {
      context_.rpc.Cancel(std::exchange(source.call, 0));
    } else if (!source.over && !source.reader.empty()) {
      CloseAt(*stream, source);
    }
  }
  error == nullptr ? stream->request.Answer(Json::object()) : stream->request.Refuse(*error);
}

void LogDesk::CloseAt(const Stream& stream, const Source& source) {
  if (source.place.cluster == context_.membership.name) return Close(source.reader);
  const auto way = members_.WayTo(source.place.cluster);
  if (!way) return;  // it closes by itself
  auto ask = stream.asked;
  ask.app = source.place.key;
  ask.cluster.clear();
  ask.reader = source.reader;
  ask.close = true;
  context_.rpc.Call(*way, api::verb::kAppLogs, ToJson(ask), kPatience, [](const Result<wire::Envelope>&) {});
}

}  // namespace ote::agent
