// The connecting side of a bulk line: asks for one when it is needed, and again later when it could not be had.
#pragma once

#include "core/wire/bulk_side.h"
#include "core/wire/bulk_socket.h"

namespace ote::wire {

class BulkDial {
 public:
  // For one connection of a link, which `there` is the other end of.
  BulkDial(std::string name, const PeerAddress& there, BulkSide::ByCurve by_curve, std::shared_ptr<BlobPool> pool,
           const ZmqOptions& options);

  // A message with a large blob went or came over CURVE.
  void SawLarge();
  // A message of kBulkVerb.
  void Hear(const Envelope& envelope);
  void Serve(std::deque<Envelope>& out, std::size_t limit);
  std::optional<std::chrono::milliseconds> NextTimer() const;
  BulkSide& Side() noexcept { return side_; }
  const BulkSide& Side() const noexcept { return side_; }

 private:
  void Ask();
  void Open(const Envelope& answer);
  void RetryLater(std::chrono::milliseconds at_least);

  const PeerAddress there_;
  const BulkSide::ByCurve by_curve_;
  const ZmqOptions options_;
  BulkSide side_;
  bool wanted_ = false;
  bool was_open_ = false;
  std::optional<crypto::SessionOffer> offer_;  // while we wait for the answer
  std::uint64_t asked_ = 0;
  std::chrono::milliseconds ask_until_{0};
  std::chrono::milliseconds next_{0};
  std::chrono::milliseconds backoff_{0};
};

}  // namespace ote::wire
