// The one thread for what takes long: reading data files and training. The agent's own thread never waits for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

namespace ote::agent {

// Used from the agent's thread. Destroying it asks the job in progress to stop and waits for it; `done` of what had not
// ended is never called.
class Worker {
 public:
  // `post` runs a function in the agent's thread, soon; callable from any thread.
  explicit Worker(std::function<void(std::function<void()>)> post);
  ~Worker();

  // Queues `work` for the thread, behind what is queued already, and calls `done` with its result in the agent's
  // thread. `work` is run even when it was asked to stop before it began: it sees that by its token.
  template <class T>
  std::stop_source Run(std::function<T(std::stop_token)> work, std::function<void(T)> done) {
    return Submit([this, alive = std::weak_ptr<bool>(alive_), work = std::move(work),
                   done = std::move(done)](std::stop_token stop) {
      auto result = std::make_shared<T>(work(std::move(stop)));
      post_([alive, result, done] {
        if (alive.lock()) done(std::move(*result));
      });
    });
  }

  // Whether nothing runs and nothing waits.
  bool Idle() const;
  // Called in the worker's thread when it has been without work for `after`: lets go of what was kept for speed. Set
  // once, before the first job.
  void OnIdle(std::chrono::milliseconds after, std::function<void()> fn);

 private:
  struct Job {
    std::function<void(std::stop_token)> fn;
    std::stop_source stop;
  };
  std::stop_source Submit(std::function<void(std::stop_token)> fn);
  void Loop(const std::stop_token& stop);

  std::function<void(std::function<void()>)> post_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
  std::function<void()> on_idle_;
  std::chrono::milliseconds idle_after_{0};
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Job> queue_;
  std::stop_source running_{std::nostopstate};
  bool busy_ = false;
  std::jthread thread_;  // started by the first job
};

}  // namespace ote::agent
