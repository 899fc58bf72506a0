// One side of the bulk line that belongs to one CURVE link, over all its sessions and connections.
//
// Messages with a large blob take the bulk line, when it is up, and all others the CURVE link: the two may overtake
// each other. The items of a stream never take the bulk line, so that they stay in order.
//
// How a line begins, over the CURVE link, which proves who is who:
//   caller    req "link.bulk" {"key": its half of a session}
//   listener  rep "link.bulk" {"port": where to connect, 0 for nowhere, "session": 16 bytes in hex, "key": its half}
// Then the caller connects to that port at the same machine and sends kBulkIntro, the session and a kHello frame; the
// listener answers with its kHello. From then on the line is up.
//
// How it ends: either side closes it and says so over the CURVE link,
//   rep "link.bulk", id 0, {"end": session, "received": messages that arrived}
// The other side does the same. Each then sends over the CURVE link what the other did not get. Neither takes anything
// from the line after it said so: a message is handed out once.
#pragma once

#include <deque>
#include <functional>

#include "core/base/log.h"
#include "core/wire/bulk_line.h"
#include "core/wire/envelope.h"
#include "core/wire/zmq_socket.h"

namespace ote::wire {

inline constexpr std::string_view kBulkVerb = "link.bulk";
inline constexpr std::string_view kBulkIntro = "OTEBULK1";
using BulkSession = std::array<std::uint8_t, 16>;
inline constexpr std::size_t kIntroSize = kBulkIntro.size() + sizeof(BulkSession);
Bytes MakeBulkIntro(const BulkSession& session);
// What both bind their agreement to.
Bytes BulkAgreement(const BulkSession& session);
// Field `key` of a message of kBulkVerb; nullopt when it is not 16 bytes in hex.
std::optional<BulkSession> BulkSessionFrom(const Json& body, const char* key);

// Something to poll: a descriptor and POLLIN, POLLOUT or both.
struct PollWish {
  int socket = -1;
  short events = 0;
};

enum class BulkState { kNone, kOpening, kUp };
enum class BulkSent { kYes, kNotHere, kFull };

class BulkSide {
 public:
  using ByCurve = std::function<Sent(Bytes header, const Blob& blob)>;
  // `name` of the other side is for the log.
  BulkSide(std::string name, ByCurve by_curve, std::shared_ptr<BlobPool> pool, const ZmqOptions& options);
  ~BulkSide();
  BulkSide(const BulkSide&) = delete;
  BulkSide& operator=(const BulkSide&) = delete;

  // Whether this is a message for the bulk line.
  bool IsFor(const Envelope& envelope) const noexcept;
  BulkState State() const noexcept;
  const std::optional<BulkSession>& Current() const noexcept { return id_; }

  // A session was agreed on; one that was there before ends.
  void Begin(const BulkSession& id, crypto::Session session);
  // The connection of the session: ours, or one that began with its intro and `hello`.
  void Connected(Descriptor connection);
  void Adopted(Descriptor connection, ByteView hello);
  // kNotHere: it goes over CURVE.
  BulkSent Send(const Bytes& header, const Envelope& envelope);
  // "end", as it came over CURVE.
  void HearEnd(const Json& body);
  // Moves what can be moved, and adds what arrived, while `out` has less than `limit`.
  void Serve(std::deque<Envelope>& out, std::size_t limit);
  // Gives what is queued until `end` to leave.
  void Linger(std::chrono::milliseconds end);

  void Wishes(std::vector<PollWish>& out) const;
  std::optional<std::chrono::milliseconds> NextTimer() const;
  std::uint64_t Dropped() const noexcept { return dropped_; }
  // Messages that went or came over the line.
  std::uint64_t Moved() const noexcept { return moved_before_ + (line_ ? line_->Sent() + line_->Received() : 0); }
  // Whether the last one ended because it could not be had or was lost.
  bool Failed() const noexcept { return failed_; }

 private:
  void End(const Error& why);
  void LogOver(std::string_view why);
  void QueueEnd(const BulkSession& id, std::uint64_t received);
  void Flush();

  const std::string name_;
  const ByCurve by_curve_;
  const std::shared_ptr<BlobPool> pool_;
  const ZmqOptions options_;
  std::optional<BulkSession> id_;
  std::optional<crypto::Session> session_;  // until there is a connection
  std::unique_ptr<BulkLine> line_;
  bool announced_ = false;
  bool failed_ = false;
  std::chrono::milliseconds opening_until_{0};
  std::chrono::milliseconds used_{0};
  std::uint64_t moved_ = 0;  // when it was last used
  std::uint64_t moved_before_ = 0;
  struct Ended {
    BulkSession id{};
    std::unique_ptr<BulkLine> line;
  };
  std::deque<Ended> ended_;           // of which the other side has not yet said what it got
  std::deque<BulkMessage> to_curve_;  // as soon as there is room
  std::optional<std::chrono::milliseconds> flush_at_;
  std::uint64_t dropped_ = 0;
  log::Limiter limiter_{4, std::chrono::minutes(1)};
};

}  // namespace ote::wire
