// The logs of an app's pods, as one stream of lines.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/shim/kubernetes/http.h"
#include "agent/shim/shim.h"

namespace ote::kube {

// One question for logs. Made and dropped in any thread; it works in that of the API, and answers by `post`.
class LogReader : public std::enable_shared_from_this<LogReader> {
 public:
  using Line = std::function<bool(const agent::LogLine&)>;
  using Post = std::function<void(std::function<void()>)>;

  // `line` and `done` are called in the thread that `post` leads to.
  LogReader(Api& api, Post post, agent::LogQuery query, std::string app_name, Line line, agent::Shim::Done done);
  void Start();
  // No more lines, and done soon. In the thread behind post, as the next.
  void Stop();
  // Nobody is there any more to be told.
  void Silence();

 private:
  void TakePods(Result<Answer> answer);
  void Open(const std::string& name_space, const std::string& pod, const std::string& container, bool many);
  void Give(const std::string& replica, std::string_view text);
  void StreamEnded(const std::string& replica, Result<void> how);
  void Finish(Result<void> how);

  Api& api_;
  Post post_;
  agent::LogQuery query_;
  std::string app_name_;
  Line line_;               // of the thread behind post
  agent::Shim::Done done_;  // of the same
  std::atomic<bool> stopped_{false};
  std::atomic<int> waiting_{0};          // lines on their way
  std::vector<std::uint64_t> requests_;  // of the thread of the API, as what follows
  std::uint64_t dropped_ = 0;
  int open_ = 0;
  Result<void> first_{};
};

}  // namespace ote::kube
