// A Kubernetes API server for tests, in a process of its own: test/fake/kube/server.py.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <string>

#include "agent/shim/kubernetes/client.h"
#include "agent/shim/kubernetes/json.h"

namespace ote::kube {

class KubeServer {
 public:
  KubeServer() {
    std::string made = (std::filesystem::temp_directory_path() / "ote-kube-XXXXXX").string();
    if (::mkdtemp(made.data()) == nullptr) throw std::runtime_error("no folder");
    folder_ = made;
    int in[2];
    int out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    std::string python = "/usr/bin/python3";
    std::string script = std::string(OTE_SOURCE_DIR) + "/test/fake/kube/server.py";
    std::string dont_write = "-B";
    char* const argv[] = {python.data(), dont_write.data(), script.data(), made.data(), nullptr};
    const int failed = ::posix_spawn(&child_, python.c_str(), &actions, nullptr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    input_ = in[1];
    std::string port;
    char c = 0;
    while (failed == 0 && ::read(out[0], &c, 1) == 1 && c != '\n') port.push_back(c);
    ::close(out[0]);
    if (port.empty()) throw std::runtime_error("the server does not start");
    control_ = std::make_unique<Client>(Load("cert"));
  }
  ~KubeServer() {
    control_.reset();
    ::close(input_);
    ::waitpid(child_, nullptr, 0);
    std::filesystem::remove_all(folder_);
  }
  KubeServer(const KubeServer&) = delete;
  KubeServer& operator=(const KubeServer&) = delete;

  const std::filesystem::path& Folder() const { return folder_; }
  std::string Rest(const std::string& context) const { return (folder_ / "kubeconfig").string() + "#" + context; }
  Credentials Load(const std::string& context) const {
    auto loaded = LoadCredentials(Rest(context));
    if (!loaded) throw std::runtime_error(loaded.error().message);
    return std::move(*loaded);
  }

  // Verbs of /_test/: set, store, compact, hangup (of watches and logs), count (of open logs),
  // seen, put, remove.
  Json Control(const std::string& what, const Json& body = Json::object()) {
    return Ask("POST", "/_test/" + what, body);
  }
  // A fault for the next `count` requests that match.
  void Fault(const std::string& match, int count, const Json& more) {
    Json fault = {{"match", match}, {"count", count}};
    fault.update(more);
    Control("set", {{"faults", Json::array({fault})}});
  }
  std::vector<std::string> Seen() { return Control("seen").at("seen").get<std::vector<std::string>>(); }
  // The object at a path; null when there is none.
  Json Object(const std::string& path) {
    auto answer = Call(*control_, Get(path));
    if (!answer || answer->status != 200) return Json();
    return Json::parse(answer->body);
  }
  // Asks until it is so; false when that takes more than 20 seconds.
  static bool Until(const std::function<bool()>& ready) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!ready()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
    }
    return true;
  }
  // Applies as somebody else.
  Json ApplyAs(const std::string& manager, const std::string& path, const Json& object) {
    Request request;
    request.method = "PATCH";
    request.path = path + "?fieldManager=" + manager + "&force=true";
    request.content_type = "application/apply-patch+yaml";
    request.body = object.dump();
    return Sent(std::move(request));
  }

 private:
  Json Ask(const std::string& method, const std::string& path, const Json& body) {
    Request request;
    request.method = method;
    request.path = path;
    request.body = body.dump();
    return Sent(std::move(request));
  }
  Json Sent(Request request) {
    auto answer = Call(*control_, std::move(request));
    if (!answer) throw std::runtime_error(answer.error().message);
    if (answer->status >= 300) throw std::runtime_error(answer->body);
    return Json::parse(answer->body);
  }

  std::filesystem::path folder_;
  pid_t child_ = -1;
  int input_ = -1;
  std::unique_ptr<Client> control_;
};

// What is posted to the agent's thread, run in the thread of the test.
class Posts {
 public:
  void Post(std::function<void()> fn) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(fn));
    }
    wake_.notify_all();
  }
  // Runs what is posted until `ready`; false when that takes more than 20 seconds.
  bool Until(const std::function<bool()>& ready) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!ready()) {
      std::function<void()> fn;
      {
        std::unique_lock lock(mutex_);
        if (!wake_.wait_until(lock, deadline, [this] { return !queue_.empty(); })) return false;
        fn = std::move(queue_.front());
        queue_.pop_front();
      }
      fn();
    }
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
};

}  // namespace ote::kube
