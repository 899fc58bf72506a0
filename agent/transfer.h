// Moves artifacts between agents: answers artifact.get for those who may have them, and fetches by digest.
//
// What is fetched is bounded by the size that was announced and kept only if it has the digest that was asked for. A
// fetch that was cut off, also by a crash, goes on where it was. One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agent/context.h"
#include "core/api/requests.h"
#include "core/base/files.h"

namespace ote::agent {

class Transfer {
 public:
  // How to ask the one that has it: a peer through Rpc, the parent through Uplink.
  using Ask =
      std::function<void(std::string_view verb, Json body, std::chrono::milliseconds patience, Rpc::Continuation then)>;
  using Done = std::function<void(Result<void>)>;
  using Id = std::uint64_t;

  static constexpr int kWindow = 2;  // requests in flight for one fetch
  // Pieces are asked for in kPiece bytes; a line that does not bring one in time gets half of that, down to
  // kLeastPiece.
  static constexpr std::int64_t kPiece = 1 << 20;
  static constexpr std::int64_t kLeastPiece = 64 << 10;
  static constexpr int kTries = 4;  // in a row without a piece
  static constexpr std::chrono::milliseconds kPatience{30'000};
  static constexpr std::chrono::milliseconds kBusyPause{500};
  static constexpr std::chrono::milliseconds kKeepOpen{5'000};

  explicit Transfer(Context& context);
  ~Transfer();

  // Registers artifact.get.
  Result<void> Start();
  Ask AskAt(Destination at);

  // What a member may fetch from here: the models of the tasks that it was given. Each Grant wants its Revoke.
  void Grant(const std::string& member, const std::string& digest);
  void Revoke(const std::string& member, const std::string& digest);
  void RevokeAll(const std::string& member);
  // Whether a member speaks for another, which has a grant: relays fetch for those below them.
  void SetBelow(std::function<bool(const std::string& member, const std::string& other)> fn) { below_ = std::move(fn); }
  // What members ask for and have no grant for goes there; refused when it is empty. `digest` is what is asked for.
  void SetCarrier(std::function<void(Request, const std::string& digest)> fn) { carrier_ = std::move(fn); }
  // Answers an artifact.get that somebody else has allowed.
  void Answer(Request request);
  // What the parent may fetch from here: the updates that it was offered.
  void Offer(const std::string& digest);
  void Withdraw(const std::string& digest);

  // Fetches `digest`, which is said to have `size` bytes. `done` is called once, never from within Fetch: with success
  // when the artifact is here, whole and on disk. kUpdateDigest when something else was sent, kUnreachable when the
  // connection was lost, kTimedOut, what the other side refused it with (kFailed for troubles of its disk), or what our
  // own disk says (kNoSpace, kFileFailed). Fetches of the same digest wait for each other; one that was sent rubbish
  // does not spoil the next.
  // kBestEffort is for what can be fetched again when a power cut takes it.
  Id Fetch(Ask from, const std::string& digest, std::int64_t size, Durability durability, Done done);
  // `done` is not called any more. What has arrived is kept for the next time.
  void Cancel(Id id);

  bool Fetching(const std::string& digest) const { return jobs_.contains(digest); }
  // Bytes that are here of what is being fetched.
  std::int64_t Arrived(const std::string& digest) const;
  // Called before a fetch writes to what has arrived of a digest.
  void OnBegin(std::function<void(const std::string& digest)> fn) { on_begin_ = std::move(fn); }

  std::int64_t BytesReceived() const noexcept { return received_; }
  std::int64_t BytesSent() const noexcept { return sent_; }

 private:
  struct Job;
  struct Waiter;
  struct Opened {
    std::shared_ptr<const store::MappedArtifact> artifact;  // shared with the messages that its pieces are in
    std::chrono::milliseconds used{0};
    bool sealed = false;  // nothing in it has to be hidden again
  };
  void Serve(Request request);
  void Answer(Request request, const api::ArtifactRange& range);
  Result<const Opened*> Open(const std::string& digest);
  void CloseIdle();
  bool Allowed(const Request& request, const std::string& digest) const;
  void Begin(const std::shared_ptr<Job>& job);
  void Fill(const std::shared_ptr<Job>& job);
  void AskPiece(const std::shared_ptr<Job>& job, std::int64_t offset, std::int64_t length);
  void Arrived(const std::shared_ptr<Job>& job, const api::ArtifactRange& range, Result<wire::Envelope> answer);
  void Again(const std::shared_ptr<Job>& job, const Error& error);
  Result<void> Place(Job& job);
  Result<void> Take(Job& job, const api::ArtifactRange& range, const wire::Envelope& answer);
  void Finish(const std::shared_ptr<Job>& job, Result<void> result);

  Context& context_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // only to be seen to be gone
  std::map<std::string, std::map<std::string, int>> grants_;    // member -> digest -> how often
  std::map<std::string, int> offered_;                          // digest -> how often
  std::map<std::string, std::shared_ptr<Job>> jobs_;  // by digest; continuations hold on to a job that was given up
  std::map<std::string, Opened> open_;                // being served
  std::function<void(const std::string&)> on_begin_;
  std::function<bool(const std::string&, const std::string&)> below_;
  std::function<void(Request, const std::string&)> carrier_;
  Timers::Id sweep_ = 0;
  Id next_ = 1;
  std::int64_t received_ = 0;
  std::int64_t sent_ = 0;
};

}  // namespace ote::agent
