// One connection of a bulk line: frames in and out of a TCP socket that never blocks, and what of ours the other side
// has not yet said to have.
//
// Everything that is sent is kept until the other side has got it (kGot), so that nothing is lost when the line is:
// what is left goes over the CURVE link (bulk_side.h).
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <vector>

#include "core/base/descriptor.h"
#include "core/wire/bulk_frame.h"

namespace ote::wire {

// A message as it stands on the wire: frame 1 of an envelope, and its blob.
struct BulkMessage {
  Bytes header;
  Blob blob;
};

class BulkLine {
 public:
  // `connection` does not block. At most `queue` messages are on their way.
  BulkLine(Descriptor connection, crypto::Session session, std::shared_ptr<BlobPool> pool, std::size_t queue);

  int Socket() const noexcept { return connection_.get(); }
  bool WantsToWrite() const noexcept { return !out_.empty(); }
  bool Full() const noexcept { return kept_.size() >= queue_; }
  // Whether the other side has shown that it holds the session's key.
  bool Proved() const noexcept { return proved_; }
  std::uint64_t Received() const noexcept { return received_; }
  std::uint64_t Sent() const noexcept { return sent_; }
  // When something must have happened, or something wants to be written.
  std::optional<std::chrono::milliseconds> NextTimer() const;

  // The first frame, after the `intro` of the one that connects (bytes in the clear).
  Result<void> SendHello(ByteView intro);
  // Not when Full(). kSessionUsedUp.
  Result<void> Send(Bytes header, const Blob& blob);
  // The first bytes that arrived, which somebody else has read.
  Result<void> Feed(ByteView bytes);
  // Reads and writes what can be, some of it at a time; at most `limit` messages in `out`. An error means that the line
  // is over: lost (kUnreachable), silent for too long (kTimedOut), or kProtocol, kSessionBroken, kSessionUsedUp.
  Result<void> Serve(std::vector<BulkMessage>& out, std::size_t limit);

  void Close() noexcept { connection_.Close(); }
  // Our messages that the other side did not get, when it has got `theirs`. The line is of no use after that.
  std::deque<BulkMessage> TakeLost(std::uint64_t theirs);

 private:
  Result<void> Read(std::vector<BulkMessage>& out, std::size_t limit);
  Result<void> Write();
  Result<void> Take(BulkArrival arrival, std::vector<BulkMessage>* out);
  Result<void> Confirm();
  void Forget(std::uint64_t theirs);

  Descriptor connection_;
  crypto::SessionSealer sealer_;
  BulkReader reader_;
  std::shared_ptr<BlobPool> pool_;
  const std::size_t queue_;
  struct Queued {
    BulkFrame frame;
    std::size_t written = 0;
  };
  std::deque<Queued> out_;
  std::deque<BulkMessage> kept_;
  std::uint64_t sent_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t told_ = 0;  // of received_
  std::uint64_t got_ = 0;   // of sent_
  bool proved_ = false;
  std::chrono::milliseconds progress_{0};
  std::optional<std::chrono::milliseconds> tell_at_;
};

}  // namespace ote::wire
