#include "core/wire/bulk_line.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/wire/zmq_socket.h"

namespace ote::wire {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kReadAtOnce = 4 << 20;  // then the others have their turn
constexpr std::uint64_t kTellAfter = 4;       // messages, or
constexpr milliseconds kTellWithin{20};
constexpr milliseconds kStall{60'000};  // longer than the kernel bears a dead line: the other side takes nothing
constexpr std::size_t kPieces = 48;     // of memory, that one call writes

tl::unexpected<Error> Lost(int number) {
  return Fail(ErrorId::kUnreachable,
              std::string("bulk line: ") + std::strerror(number));  // NOLINT(concurrency-mt-unsafe): glibc's is
}

Bytes Spell(std::uint64_t value) {
  Bytes out(8);
  for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<std::uint8_t>(value >> (8 * i));
  return out;
}
std::uint64_t ReadNumber(ByteView bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
  return value;
}

}  // namespace

BulkLine::BulkLine(Descriptor connection, crypto::Session session, std::shared_ptr<BlobPool> pool, std::size_t queue)
    : connection_(std::move(connection)),
      sealer_(std::move(session.sealer)),
      reader_(std::move(session.opener), pool),
      pool_(std::move(pool)),
      queue_(queue) {}

std::optional<milliseconds> BulkLine::NextTimer() const {
  std::optional<milliseconds> next = tell_at_;
  if (!kept_.empty()) next = std::min(next.value_or(milliseconds::max()), progress_ + kStall);
  return next;
}

Result<void> BulkLine::SendHello(ByteView intro) {
  OTE_TRY(BulkFrame frame, MakeBulkFrame(sealer_, BulkKind::kHello, {}, {}, *pool_));
  frame.lead.insert(frame.lead.begin(), intro.begin(), intro.end());
  out_.push_back({std::move(frame)});
  return {};
}

Result<void> BulkLine::Send(Bytes header, const Blob& blob) {
  const auto kind = blob.IsSealed() ? BulkKind::kSealedMessage : BulkKind::kMessage;
  OTE_TRY(BulkFrame frame, MakeBulkFrame(sealer_, kind, header, blob, *pool_));
  out_.push_back({std::move(frame)});
  if (kept_.empty()) progress_ = SteadyNow();
  kept_.push_back({std::move(header), blob});
  ++sent_;
  // A line that turns out to be lost is noticed by Serve.
  static_cast<void>(Write());
  return {};
}

Result<void> BulkLine::Feed(ByteView bytes) {
  while (!bytes.empty()) {
    const auto room = reader_.Room();
    const std::size_t size = std::min(room.size(), bytes.size());
    std::copy_n(bytes.begin(), size, room.begin());
    bytes = bytes.subspan(size);
    OTE_TRY(auto arrival, reader_.Took(size));
    if (arrival) OTE_CHECK(Take(std::move(*arrival), nullptr));
  }
  return {};
}

Result<void> BulkLine::Serve(std::vector<BulkMessage>& out, std::size_t limit) {
  OTE_CHECK(Read(out, limit));
  OTE_CHECK(Confirm());
  OTE_CHECK(Write());
  if (!kept_.empty() && SteadyNow() >= progress_ + kStall) {
    return Fail(ErrorId::kTimedOut, "bulk line: nothing of what was sent was taken within a minute");
  }
  return {};
}

Result<void> BulkLine::Read(std::vector<BulkMessage>& out, std::size_t limit) {
  for (std::size_t total = 0; total < kReadAtOnce && out.size() < limit;) {
    const auto room = reader_.Room();
    const ssize_t size = ::recv(connection_.get(), room.data(), room.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (size < 0) return Lost(errno);
    if (size == 0) return Fail(ErrorId::kUnreachable, "bulk line: the other side closed it");
    total += static_cast<std::size_t>(size);
    OTE_TRY(auto arrival, reader_.Took(static_cast<std::size_t>(size)));
    if (arrival) OTE_CHECK(Take(std::move(*arrival), &out));
  }
  return {};
}

Result<void> BulkLine::Take(BulkArrival arrival, std::vector<BulkMessage>* out) {
  const bool first = !std::exchange(proved_, true);
  if (first != (arrival.kind == BulkKind::kHello)) return Fail(ErrorId::kProtocol, "bulk line: a frame out of turn");
  if (first) return {};
  if (arrival.kind == BulkKind::kGot) {
    const std::uint64_t theirs = ReadNumber(arrival.head);
    if (theirs < got_ || theirs > sent_) return Fail(ErrorId::kProtocol, "bulk line: got what was not sent");
    Forget(theirs);
    return {};
  }
  ++received_;
  if (!tell_at_) tell_at_ = SteadyNow() + kTellWithin;
  if (out != nullptr) out->push_back({std::move(arrival.head), std::move(arrival.blob)});
  return {};
}

// Tells the other side what has arrived, now and then.
Result<void> BulkLine::Confirm() {
  if (received_ == told_ || (received_ - told_ < kTellAfter && SteadyNow() < *tell_at_)) return {};
  OTE_TRY(BulkFrame frame, MakeBulkFrame(sealer_, BulkKind::kGot, Spell(received_), {}, *pool_));
  out_.push_back({std::move(frame)});
  told_ = received_;
  tell_at_.reset();
  return {};
}

void BulkLine::Forget(std::uint64_t theirs) {
  for (; got_ < theirs && !kept_.empty(); ++got_) kept_.pop_front();
  progress_ = SteadyNow();
}

std::deque<BulkMessage> BulkLine::TakeLost(std::uint64_t theirs) {
  Forget(std::min(theirs, sent_));
  out_.clear();
  return std::move(kept_);
}

Result<void> BulkLine::Write() {
  while (!out_.empty()) {
    std::array<iovec, kPieces> pieces{};
    std::size_t used = 0;
    std::size_t total = 0;
    for (auto it = out_.begin(); it != out_.end() && used + 3 <= kPieces && total < kReadAtOnce; ++it) {
      std::size_t skip = it->written;
      const auto add = [&](ByteView part) {
        const std::size_t cut = std::min(skip, part.size());
        skip -= cut;
        if (cut == part.size()) return;
        // The system wants a mutable pointer and does not write through it.
        pieces.at(used++) = {const_cast<std::uint8_t*>(part.data() + cut), part.size() - cut};
        total += part.size() - cut;
      };
      add(it->frame.lead);
      if (it->frame.blob.empty()) continue;
      add(it->frame.blob.View());
      add(it->frame.tag);
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = used;
    const ssize_t size = ::sendmsg(connection_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return {};
    if (size < 0) return Lost(errno);
    auto left = static_cast<std::size_t>(size);
    while (!out_.empty()) {
      Queued& front = out_.front();
      const std::size_t step = std::min(left, front.frame.Size() - front.written);
      front.written += step;
      left -= step;
      if (front.written < front.frame.Size()) break;
      out_.pop_front();
    }
    if (static_cast<std::size_t>(size) < total) return {};
  }
  return {};
}

}  // namespace ote::wire
