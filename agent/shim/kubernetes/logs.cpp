#include "agent/shim/kubernetes/logs.h"

#include <fmt/format.h>

#include "agent/shim/kubernetes/json.h"
#include "agent/shim/kubernetes/stream.h"
#include "agent/shim/kubernetes/translate.h"

namespace ote::kube {
namespace {

// Lines on their way to a reader who is slower than they come; what is over is dropped, and counted to the reader.
constexpr int kMaxWaiting = 5000;

}  // namespace

LogReader::LogReader(Api& api, Post post, agent::LogQuery query, std::string app_name, std::set<std::string> spaces,
                     Line line, agent::Shim::Done done)
    : api_(api),
      post_(std::move(post)),
      query_(std::move(query)),
      app_name_(std::move(app_name)),
      spaces_(std::move(spaces)),
      line_(std::move(line)),
      done_(std::move(done)) {}

void LogReader::Start() {
  if (query_.follow) return Follow();
  Request request = Get("/api/v1/pods?labelSelector=" + Escape(fmt::format("{}={}", kAppLabel, app_name_)));
  api_.Send(std::move(request),
            [self = shared_from_this()](Result<Answer> answer) { self->TakePods(std::move(answer)); });
}

void LogReader::Stop() {
  if (!stopped_.exchange(true)) Finish({});
}

void LogReader::Close() {
  pods_.reset();
  for (const auto id : requests_) api_.Cancel(id);
  for (const auto& [key, source] : sources_) {
    if (source.request != 0) api_.Cancel(source.request);
  }
  requests_.clear();
  sources_.clear();
  closed_ = true;
}

void LogReader::Silence() {
  stopped_ = true;
  line_ = nullptr;
  done_ = nullptr;
}

void LogReader::TakePods(Result<Answer> answer) {
  if (!answer) return Finish(Fail(std::move(answer).error()));
  if (auto checked = CheckAnswer(*answer, "pods of " + query_.app); !checked) return Finish(std::move(checked));
  if (stopped_) return;
  const auto list = ParseAnswer(answer->body);
  if (!list) return Finish(Fail(list.error()));
  const Json& pods = At(*list, {"items"});
  open_ = 1;  // this loop itself: streams may end before it does
  bool found = false;
  int streams = 0;
  for (const Json& pod : pods.is_array() ? pods : Json::array()) {
    const std::string name = TextAt(pod, {"metadata", "name"});
    if (!query_.replica.empty() && query_.replica != name) continue;
    if (!spaces_.contains(TextAt(pod, {"metadata", "namespace"}))) continue;
    found = true;
    const Json& containers = At(pod, {"spec", "containers"});
    if (!containers.is_array()) continue;
    for (const Json& container : containers) {
      if (++streams > kMostStreams) break;
      ++open_;
      const std::string of = TextAt(container, {"name"});
      const std::string replica = containers.size() > 1 ? name + "/" + of : name;
      const auto path =
          fmt::format("/api/v1/namespaces/{}/pods/{}/log?container={}&timestamps=true&tailLines={}",
                      Escape(TextAt(pod, {"metadata", "namespace"})), Escape(name), Escape(of), query_.tail);
      requests_.push_back(Open(
          path, replica, [](std::string_view) { return true; },
          [self = shared_from_this()](Result<void> how) { self->StreamEnded(std::move(how)); }));
    }
  }
  if (!found && !query_.replica.empty()) {
    first_ = Fail(ErrorId::kNotFound, fmt::format("{}: {} has no such replica", query_.replica, query_.app));
  }
  StreamEnded({});
}

// `line` says whether one is wanted.
std::uint64_t LogReader::Open(const std::string& path, const std::string& replica,
                              std::function<bool(std::string_view)> line, std::function<void(Result<void>)> ended) {
  Request request = Get(path);
  request.accept = "*/*";
  request.patience = query_.follow ? std::chrono::milliseconds(std::chrono::hours(24)) : std::chrono::seconds(30);
  auto splitter = std::make_shared<LineSplitter>();
  const auto give = [self = shared_from_this(), replica, line = std::move(line)](std::string_view text) {
    if (line(text)) self->Give(replica, text);
    return true;
  };
  request.chunk = [self = shared_from_this(), splitter, give](std::string_view bytes) {
    return !self->stopped_ && splitter->Feed(bytes, give);
  };
  return api_.Send(std::move(request), [self = shared_from_this(), splitter, give, replica,
                                        ended = std::move(ended)](Result<Answer> answer) {
    if (!self->stopped_) splitter->End(give);
    if (!answer) return ended(Fail(std::move(answer).error()));
    auto checked = CheckAnswer(*answer, "logs of " + replica);
    // A container that has not started has no logs yet.
    if (!checked && checked.error().id == ErrorId::kKubeInvalid) checked = {};
    ended(std::move(checked));
  });
}

void LogReader::Give(const std::string& replica, std::string_view text) {
  if (waiting_ >= kMaxWaiting) {
    ++dropped_;
    return;
  }
  agent::LogLine line;
  line.replica = replica;
  const std::size_t space = text.find(' ');
  line.at = TimeOf(text.substr(0, space));
  line.text =
      line.at == 0 || space == text.npos ? std::string(line.at == 0 ? text : "") : std::string(text.substr(space + 1));
  if (const auto dropped = std::exchange(dropped_, 0); dropped > 0) {
    line.text.insert(0, fmt::format("[{} lines were dropped] ", dropped));
  }
  ++waiting_;
  post_([self = shared_from_this(), line = std::move(line)] {
    --self->waiting_;
    if (!self->stopped_ && !self->line_(line)) self->Stop();
  });
}

void LogReader::StreamEnded(Result<void> how) {
  if (!how && first_) first_ = std::move(how);
  if (--open_ == 0) Finish(first_);
}

void LogReader::Finish(Result<void> how) {
  // Not at once: we may stand in a callback of what it closes.
  api_.After(std::chrono::milliseconds(0), [self = shared_from_this()] { self->Close(); });
  post_([self = shared_from_this(), how = std::move(how)]() mutable {
    self->stopped_ = true;
    if (const auto done = std::exchange(self->done_, nullptr)) done(std::move(how));
  });
}

}  // namespace ote::kube
