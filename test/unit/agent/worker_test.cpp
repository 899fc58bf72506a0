#include "agent/worker.h"

#include <catch2/catch.hpp>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>

using namespace ote;
using namespace std::chrono_literals;
using agent::Worker;

namespace {

// A thread's inbox, emptied by hand.
class Inbox {
 public:
  std::function<void(std::function<void()>)> Post() {
    return [this](std::function<void()> fn) {
      const std::lock_guard lock(mutex_);
      posted_.push_back(std::move(fn));
      wake_.notify_all();
    };
  }
  void RunOne() {
    std::function<void()> fn;
    {
      std::unique_lock lock(mutex_);
      REQUIRE(wake_.wait_for(lock, 20s, [this] { return !posted_.empty(); }));
      fn = std::move(posted_.front());
      posted_.pop_front();
    }
    fn();
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> posted_;
};

}  // namespace

TEST_CASE("work runs in the order it was given, and its results come back to the inbox") {
  Inbox inbox;
  Worker worker(inbox.Post());
  std::vector<int> done;
  for (int i = 0; i < 5; ++i) {
    worker.Run<int>([i](const std::stop_token&) { return i * i; }, [&done](int value) { done.push_back(value); });
  }
  for (int i = 0; i < 5; ++i) inbox.RunOne();
  CHECK(done == std::vector<int>{0, 1, 4, 9, 16});
}

TEST_CASE("work that was asked to stop sees it") {
  Inbox inbox;
  Worker worker(inbox.Post());
  std::promise<void> began;
  auto stop = worker.Run<bool>(
      [&began](const std::stop_token& token) {
        began.set_value();
        std::mutex mutex;
        std::condition_variable_any wait;
        std::unique_lock lock(mutex);
        wait.wait_for(lock, token, 20s, [] { return false; });
        return token.stop_requested();
      },
      [](bool stopped) { CHECK(stopped); });
  began.get_future().wait();
  stop.request_stop();
  inbox.RunOne();
}

TEST_CASE("destroying the worker stops what runs, and its result is not given") {
  Inbox inbox;
  bool told = false;
  {
    Worker worker(inbox.Post());
    std::promise<void> began;
    worker.Run<int>(
        [&began](const std::stop_token& token) {
          began.set_value();
          while (!token.stop_requested()) std::this_thread::yield();
          return 1;
        },
        [&told](int) { told = true; });
    began.get_future().wait();
  }
  inbox.RunOne();
  CHECK_FALSE(told);
}

TEST_CASE("an idle worker lets go of what was kept, once") {
  Inbox inbox;
  Worker worker(inbox.Post());
  std::promise<void> released;
  std::atomic<int> times = 0;
  worker.OnIdle(1ms, [&] {
    if (++times == 1) released.set_value();
  });
  worker.Run<int>([](const std::stop_token&) { return 1; }, [](int) {});
  inbox.RunOne();
  REQUIRE(released.get_future().wait_for(20s) == std::future_status::ready);
  CHECK(times == 1);
  CHECK(worker.Idle());
}
