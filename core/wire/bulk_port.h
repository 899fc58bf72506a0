// The listening side of bulk lines: one port for all peers, and each peer's side.
//
// Whoever connects is a stranger until the first 52 bytes are there: the intro, which names a session, and the kHello
// frame, which only the peer that the session was agreed on with can make. Until then a connection costs a descriptor
// and those bytes, there are at most kStrangers of them, each for a few seconds, and the oldest makes room for the
// next.
#pragma once

#include <map>

#include "core/wire/bulk_side.h"
#include "core/wire/bulk_socket.h"
#include "core/wire/transport.h"

namespace ote::wire {

class BulkPort {
 public:
  static constexpr std::size_t kStrangers = 32;
  using ByCurve = std::function<Sent(PeerId peer, Bytes header, const Blob& blob)>;

  BulkPort(ByCurve by_curve, const ZmqOptions& options);

  // Listens beside a tcp endpoint, on a numeric address. What fails is told in the log, and all goes over CURVE then.
  void Listen(const std::string& host);
  int Port() const noexcept { return port_; }

  // A message of kBulkVerb from a peer.
  void Hear(PeerId peer, const Caller& caller, const Envelope& envelope);
  // kNotHere: it goes over CURVE.
  BulkSent Send(PeerId peer, const Bytes& header, const Envelope& envelope);
  // Cuts the peer's line at once; nothing of it is handed out any more.
  void Forget(PeerId peer);

  struct Arrival {
    PeerId peer;
    Envelope envelope;
  };
  // At most `limit`.
  std::vector<Arrival> Serve(std::size_t limit);
  void Linger(std::chrono::milliseconds end);
  void Wishes(std::vector<PollWish>& out) const;
  std::optional<std::chrono::milliseconds> NextTimer() const;
  std::uint64_t Dropped() const noexcept;
  std::uint64_t Moved() const noexcept;

 private:
  struct Stranger {
    Descriptor connection;
    std::array<std::uint8_t, kIntroSize + kHelloFrame> bytes{};
    std::size_t filled = 0;
    std::chrono::milliseconds until{0};
  };

  void Answer(PeerId peer, const Envelope& ask, Json body);
  void Agree(PeerId peer, const Caller& caller, const Envelope& ask);
  void Accept();
  // Whether it is to be kept as a stranger.
  bool ReadStranger(Stranger& stranger);

  const ByCurve by_curve_;
  const ZmqOptions options_;
  const std::shared_ptr<BlobPool> pool_ = std::make_shared<BlobPool>();
  std::map<std::string, Descriptor> listening_;  // by host
  int port_ = 0;
  std::chrono::milliseconds accept_from_{0};
  std::deque<Stranger> strangers_;
  std::map<PeerId, BulkSide> sides_;
  std::uint64_t dropped_ = 0;
  std::uint64_t moved_ = 0;
  log::Limiter limiter_;
};

}  // namespace ote::wire
