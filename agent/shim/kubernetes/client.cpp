#include "agent/shim/kubernetes/client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "agent/shim/kubernetes/transfer.h"
#include "core/base/log.h"

namespace ote::kube {
namespace {

using Millis = std::chrono::milliseconds;

void InitCurl() {
  static const CURLcode kDone = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)kDone;
}

}  // namespace

class Client::Loop {
 public:
  explicit Loop(Credentials credentials) : credentials_(std::move(credentials)) {
    InitCurl();
    multi_ = curl_multi_init();
    thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
  }
  ~Loop() {
    Stop();
    curl_multi_cleanup(multi_);
  }

  std::uint64_t Send(Request request, Done done) {
    auto transfer = std::make_unique<Transfer>();
    transfer->id = ++ids_;
    transfer->deadline = Now() + request.patience;
    transfer->request = std::move(request);
    transfer->done = std::move(done);
    const auto id = transfer->id;
    {
      const std::lock_guard lock(mutex_);
      if (!stopped_) {
        inbox_.push_back(std::move(transfer));
      }
    }
    if (transfer != nullptr) {
      transfer->done(Fail(ErrorId::kKubeUnreachable, "the agent stops"));
    } else {
      curl_multi_wakeup(multi_);
    }
    return id;
  }
  void Cancel(std::uint64_t id) {
    if (std::this_thread::get_id() == thread_.get_id()) {
      TakeInbox();
      if (const auto it = transfers_.find(id); it != transfers_.end()) it->second->cancelled = true;
    }
    // Not at once: we may stand in a callback of that very transfer.
    After(Millis(0), [this, id] { Drop(id); });
  }
  void After(Millis delay, std::function<void()> fn) {
    {
      const std::lock_guard lock(mutex_);
      if (stopped_) return;
      timers_.emplace(Now() + delay, std::move(fn));
    }
    curl_multi_wakeup(multi_);
  }
  void Stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    thread_.request_stop();
    curl_multi_wakeup(multi_);
    if (thread_.joinable()) thread_.join();
    if (!refresher_.joinable()) return;
    refresher_.request_stop();
    refresher_.join();
  }

 private:
  Millis Now() const { return clock_.SteadyNow(); }

  void Run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      TakeInbox();
      RunTimers();
      StartDue();
      int running = 0;
      curl_multi_perform(multi_, &running);
      TakeEnded();
      if (!stop.stop_requested()) curl_multi_poll(multi_, nullptr, 0, Wait(), nullptr);
    }
    TakeInbox();
    for (auto& [id, transfer] : transfers_) {
      if (transfer->easy != nullptr) curl_multi_remove_handle(multi_, static_cast<CURL*>(transfer->easy));
      transfer->Close();
      if (!transfer->cancelled) transfer->done(Fail(ErrorId::kKubeUnreachable, "the agent stops"));
    }
    transfers_.clear();
    const std::lock_guard lock(mutex_);
    timers_.clear();
  }

  void TakeInbox() {
    const std::lock_guard lock(mutex_);
    for (auto& transfer : inbox_) transfers_.emplace(transfer->id, std::move(transfer));
    inbox_.clear();
  }

  void RunTimers() {
    for (;;) {
      std::function<void()> fn;
      {
        const std::lock_guard lock(mutex_);
        if (timers_.empty() || timers_.begin()->first > Now()) return;
        fn = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
      }
      fn();
    }
  }

  int Wait() {
    Millis until = Now() + std::chrono::seconds(60);
    const bool authed = auth_ && !refreshing_;
    for (const auto& [id, transfer] : transfers_) {
      if (transfer->easy != nullptr) continue;
      until = std::min(until, authed ? std::max(transfer->next, not_before_) : transfer->deadline);
      until = std::min(until, transfer->deadline);
    }
    const std::lock_guard lock(mutex_);
    if (!inbox_.empty()) return 0;
    if (!timers_.empty()) until = std::min(until, timers_.begin()->first);
    return static_cast<int>(std::max<std::int64_t>(0, (until - Now()).count()));
  }

  // Starts what waits, as far as there are credentials and the rate allows it.
  void StartDue() {
    std::vector<std::uint64_t> due;
    for (const auto& [id, transfer] : transfers_) {
      if (transfer->easy == nullptr) due.push_back(id);
    }
    for (const auto id : due) {
      const auto it = transfers_.find(id);
      if (it == transfers_.end()) continue;
      Transfer& transfer = *it->second;
      const Millis now = Now();
      if (now >= transfer.deadline) {
        Finish(id, Fail(ErrorId::kKubeUnreachable, credentials_.server + ": no answer in time"));
        continue;
      }
      if (transfer.next > now || not_before_ > now || !HasAuth()) continue;
      if (const Millis wait = bucket_.Take(now); wait.count() > 0) {
        not_before_ = now + wait;
        continue;
      }
      if (auto opened = transfer.Open(credentials_, *auth_, now); !opened) {
        transfer.Close();
        Finish(id, Fail(std::move(opened).error()));
        continue;
      }
      curl_multi_add_handle(multi_, static_cast<CURL*>(transfer.easy));
    }
  }

  // Whether there are credentials that are fresh; otherwise they are on their way, from a thread that may wait.
  bool HasAuth() {
    if (refreshing_) return false;
    const bool stale = !auth_ || must_refresh_ || (auth_->until != 0 && clock_.WallNow() >= auth_->until);
    if (!stale) return true;
    if (auth_failed_ > Now()) return false;
    refreshing_ = true;
    if (refresher_.joinable()) refresher_.join();
    refresher_ = std::jthread([this](const std::stop_token& stop) {
      // Moved through the timers' queue, which wants what can be copied.
      auto made = std::make_shared<Result<Auth>>(Authenticate(credentials_, clock_.WallNow(), stop));
      After(Millis(0), [this, made] { TakeAuth(std::move(*made)); });
    });
    return false;
  }
  void TakeAuth(Result<Auth> made) {
    refreshing_ = false;
    if (made) {
      auth_ = std::move(*made);
      must_refresh_ = false;
      return;
    }
    // What waits is told, and is not asked for a new try at once.
    auth_failed_ = Now() + std::chrono::seconds(2);
    After(std::chrono::seconds(2), [] {});
    std::vector<std::uint64_t> waiting;
    for (const auto& [id, transfer] : transfers_) {
      if (transfer->easy == nullptr) waiting.push_back(id);
    }
    for (const auto id : waiting) Finish(id, Fail(made.error()));
  }

  void TakeEnded() {
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* easy = message->easy_handle;
      const CURLcode code = message->data.result;
      Transfer* transfer = nullptr;
      curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
      long status = 0;
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      transfer->answer.status = static_cast<int>(status);
      curl_multi_remove_handle(multi_, easy);
      transfer->Close();
      Ended(*transfer, code);
    }
  }

  void Ended(Transfer& transfer, CURLcode code) {
    auto outcome = transfer.Outcome(code, credentials_);
    const int status = transfer.answer.status;
    if (outcome && status == 401 && !transfer.refreshed) {
      transfer.refreshed = true;
      must_refresh_ = true;
      return;
    }
    const bool broken = !outcome && outcome.error().id == ErrorId::kKubeUnreachable;
    if ((broken || (outcome && MayPass(transfer.answer))) && !transfer.IsStream()) {
      const Millis wait = std::max(BackOff(transfer.tries, random_), transfer.answer.retry_after);
      if (Now() + wait < transfer.deadline) {
        transfer.next = Now() + wait;
        return;
      }
    }
    if (!outcome) return Finish(transfer.id, Fail(std::move(outcome).error()));
    Finish(transfer.id, std::move(transfer.answer));
  }

  void Finish(std::uint64_t id, Result<Answer> result) {
    const auto it = transfers_.find(id);
    if (it == transfers_.end()) return;
    const auto transfer = std::move(it->second);
    transfers_.erase(it);
    if (!transfer->cancelled) transfer->done(std::move(result));
  }

  void Drop(std::uint64_t id) {
    TakeInbox();
    const auto it = transfers_.find(id);
    if (it == transfers_.end()) return;
    if (it->second->easy != nullptr) curl_multi_remove_handle(multi_, static_cast<CURL*>(it->second->easy));
    it->second->Close();
    transfers_.erase(it);
  }

  SystemClock clock_;
  Credentials credentials_;
  CURLM* multi_ = nullptr;
  std::atomic<std::uint64_t> ids_{0};

  std::mutex mutex_;
  std::vector<std::unique_ptr<Transfer>> inbox_;
  std::multimap<Millis, std::function<void()>> timers_;
  bool stopped_ = false;

  // Of the thread alone.
  std::map<std::uint64_t, std::unique_ptr<Transfer>> transfers_;
  TokenBucket bucket_{20, 40};
  Millis not_before_{0};
  std::mt19937 random_{std::random_device{}()};
  std::optional<Auth> auth_;
  bool must_refresh_ = false;
  bool refreshing_ = false;
  Millis auth_failed_{0};
  std::jthread refresher_;
  std::jthread thread_;
};

Client::Client(Credentials credentials) : loop_(std::make_unique<Loop>(std::move(credentials))) {}
Client::~Client() = default;
std::uint64_t Client::Send(Request request, Done done) { return loop_->Send(std::move(request), std::move(done)); }
void Client::Cancel(std::uint64_t id) { loop_->Cancel(id); }
void Client::After(Millis delay, std::function<void()> fn) { loop_->After(delay, std::move(fn)); }
void Client::Stop() { loop_->Stop(); }

}  // namespace ote::kube
