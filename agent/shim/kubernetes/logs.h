// The logs of an app's pods, as one stream of lines.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/shim/kubernetes/http.h"
#include "agent/shim/kubernetes/watch.h"
#include "agent/shim/shim.h"

namespace ote::kube {

// One question for logs. Made and dropped in any thread; it works in that of the API, and answers by `post`.
//
// Without follow: what the pods that there are have to tell, and the end. With follow: the pods are watched; those that
// come later are told from their first line, a container that starts again is told again, and a line that breaks goes
// on where it broke. That ends with the reader, or with the one pod that was asked for.
class LogReader : public std::enable_shared_from_this<LogReader> {
 public:
  using Line = std::function<bool(const agent::LogLine&)>;
  using Post = std::function<void(std::function<void()>)>;
  static constexpr int kMostStreams = 64;  // open at a time; further ones are left out, or wait

  // `line` and `done` are called in the thread that `post` leads to.
  // Of pods in these namespaces alone.
  LogReader(Api& api, Post post, agent::LogQuery query, std::string app_name, std::set<std::string> spaces, Line line,
            agent::Shim::Done done);
  void Start();
  // No more lines, and done soon.
  void Stop();
  // Nobody is there any more to be told. In the thread behind post.
  void Silence();
  // Asks nothing more. In the thread of the API, or after that stopped; whoever made it keeps it until then.
  void Close();
  bool Closed() const { return closed_; }

 private:
  // One container of a pod that is followed.
  struct Source {
    std::string name_space, pod, container, replica;
    std::int64_t instance = -1;  // the newest that began: how often it was started again
    std::int64_t told = -1;      // that whose log was opened last
    bool runs = false;           // the newest does still
    bool due = false;            // to be opened
    bool gone = false;           // the pod is
    bool from_start = false;     // its pod came later than the reader
    int failures = 0;
    std::uint64_t request = 0;  // that is under way
    std::string last;           // the stamp of the last line of `told`
  };

  void TakePods(Result<Answer> answer);
  std::uint64_t Open(const std::string& path, const std::string& replica, std::function<bool(std::string_view)> line,
                     std::function<void(Result<void>)> ended);
  void Give(const std::string& replica, std::string_view text);
  void StreamEnded(Result<void> how);
  void Finish(Result<void> how);

  // logs_follow.cpp
  void Follow();
  void Listed();
  void TakePod(const Json& pod);
  void DropPod(const std::string& uid);
  void OpenDue();
  void OpenSource(const std::string& key, Source& source);
  void SourceEnded(const std::string& key, const Result<void>& how);
  void After(std::chrono::milliseconds delay, std::function<void()> fn);

  Api& api_;
  Post post_;
  agent::LogQuery query_;
  std::string app_name_;
  std::set<std::string> spaces_;
  Line line_;               // of the thread behind post
  agent::Shim::Done done_;  // of the same
  std::atomic<bool> stopped_{false};
  std::atomic<bool> closed_{false};
  std::atomic<int> waiting_{0};          // lines on their way
  std::vector<std::uint64_t> requests_;  // of the thread of the API, as what follows
  std::uint64_t dropped_ = 0;
  int open_ = 0;
  Result<void> first_{};

  std::unique_ptr<Watch> pods_;
  std::map<std::string, Source> sources_;  // by UID/container
  std::set<std::string> seen_;             // UIDs of the list that is being read
  bool listed_ = false;
};

}  // namespace ote::kube
