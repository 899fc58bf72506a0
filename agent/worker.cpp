#include "agent/worker.h"

#include <chrono>
#include <utility>

namespace ote::agent {

Worker::Worker(std::function<void(std::function<void()>)> post) : post_(std::move(post)) {}

Worker::~Worker() {
  {
    const std::lock_guard lock(mutex_);
    for (auto& job : queue_) job.stop.request_stop();
    queue_.clear();
    running_.request_stop();
  }
  thread_.request_stop();
}

bool Worker::Idle() const {
  const std::lock_guard lock(mutex_);
  return !busy_ && queue_.empty();
}

void Worker::OnIdle(std::chrono::milliseconds after, std::function<void()> fn) {
  idle_after_ = after;
  on_idle_ = std::move(fn);
}

std::stop_source Worker::Submit(std::function<void(std::stop_token)> fn) {
  Job job{std::move(fn), std::stop_source()};
  std::stop_source stop = job.stop;
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
  }
  if (thread_.joinable()) {
    wake_.notify_one();
  } else {
    thread_ = std::jthread([this](const std::stop_token& token) { Loop(token); });
  }
  return stop;
}

void Worker::Loop(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  bool kept = false;  // whether something may be let go of
  while (!stop.stop_requested()) {
    const auto has_work = [this] { return !queue_.empty(); };
    if (!kept || !on_idle_) {
      if (!wake_.wait(lock, stop, has_work)) return;
    } else if (!wake_.wait_for(lock, stop, idle_after_, has_work)) {
      if (stop.stop_requested()) return;
      kept = false;
      lock.unlock();
      on_idle_();
      lock.lock();
      continue;
    }
    Job job = std::move(queue_.front());
    queue_.pop_front();
    running_ = job.stop;
    busy_ = true;
    lock.unlock();
    job.fn(job.stop.get_token());
    job.fn = nullptr;  // what it captured goes before the thread sleeps
    lock.lock();
    busy_ = false;
    running_ = std::stop_source(std::nostopstate);
    kept = true;
  }
}

}  // namespace ote::agent
