#include "core/wire/bulk_side.h"

#include <poll.h>

#include <algorithm>

namespace ote::wire {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFlushPause{20};
constexpr std::size_t kMostEnded = 4;

}  // namespace

std::optional<BulkSession> BulkSessionFrom(const Json& body, const char* key) {
  const auto it = body.find(key);
  if (it == body.end() || !it->is_string()) return std::nullopt;
  const auto bytes = HexDecode(it->get_ref<const std::string&>());
  BulkSession out{};
  if (!bytes || bytes->size() != out.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return out;
}

Bytes MakeBulkIntro(const BulkSession& session) {
  Bytes out(kBulkIntro.begin(), kBulkIntro.end());
  out.insert(out.end(), session.begin(), session.end());
  return out;
}

Bytes BulkAgreement(const BulkSession& session) {
  constexpr std::string_view kUse = "ote-bulk-v1";
  Bytes out(kUse.begin(), kUse.end());
  out.insert(out.end(), session.begin(), session.end());
  return out;
}

BulkSide::BulkSide(std::string name, ByCurve by_curve, std::shared_ptr<BlobPool> pool, const ZmqOptions& options)
    : name_(std::move(name)), by_curve_(std::move(by_curve)), pool_(std::move(pool)), options_(options) {}
BulkSide::~BulkSide() {
  if (id_) LogOver("the link is over");
}

bool BulkSide::IsFor(const Envelope& envelope) const noexcept {
  return envelope.blob.size() >= options_.bulk.least && !envelope.blob.empty() && envelope.last;
}

BulkState BulkSide::State() const noexcept {
  if (line_ && line_->Proved()) return BulkState::kUp;
  return id_ ? BulkState::kOpening : BulkState::kNone;
}

void BulkSide::Begin(const BulkSession& id, crypto::Session session) {
  if (id_) End(Error{ErrorId::kUnreachable, "the other side began anew", {}});
  id_ = id;
  session_ = std::move(session);
  failed_ = false;
  opening_until_ = SteadyNow() + options_.bulk.hello;
}

void BulkSide::Connected(Descriptor connection) {
  if (!session_) return;
  const auto queue = static_cast<std::size_t>(std::max(options_.queue, 1));
  line_ = std::make_unique<BulkLine>(std::move(connection), std::move(*session_), pool_, queue);
  session_.reset();
  if (auto sent = line_->SendHello(MakeBulkIntro(*id_)); !sent) End(sent.error());
}

void BulkSide::Adopted(Descriptor connection, ByteView hello) {
  if (!session_) return;
  const auto queue = static_cast<std::size_t>(std::max(options_.queue, 1));
  line_ = std::make_unique<BulkLine>(std::move(connection), std::move(*session_), pool_, queue);
  session_.reset();
  auto done = line_->Feed(hello);
  if (done) done = line_->SendHello({});
  if (!done) End(done.error());
}

BulkSent BulkSide::Send(const Bytes& header, const Envelope& envelope) {
  if (State() != BulkState::kUp || header.size() > kMaxBulkHead) return BulkSent::kNotHere;
  if (line_->Full()) return BulkSent::kFull;
  if (auto sent = line_->Send(header, envelope.blob); !sent) {
    End(sent.error());
    return BulkSent::kNotHere;
  }
  return BulkSent::kYes;
}

void BulkSide::End(const Error& why) {
  // Both come by themselves, and the line is wanted again.
  failed_ = why.id != ErrorId::kSessionUsedUp && why.id != ErrorId::kInterrupted;
  if (why.id == ErrorId::kSessionBroken || why.id == ErrorId::kProtocol) ++dropped_;
  LogOver(why.message);
  QueueEnd(*id_, line_ ? line_->Received() : 0);
  if (line_) {
    moved_before_ = Moved();
    line_->Close();
    ended_.push_back({*id_, std::move(line_)});
    if (ended_.size() > kMostEnded) ended_.pop_front();
  }
  id_.reset();
  session_.reset();
  announced_ = false;
  pool_->Trim();
  Flush();
}

void BulkSide::LogOver(std::string_view why) {
  if (!limiter_.Allow(SteadyNow())) return;
  log::Info("bulk line over", {{"with", name_},
                               {"why", why},
                               {"was_up", State() == BulkState::kUp ? "yes" : "no"},
                               {"sent", line_ ? line_->Sent() : 0},
                               {"received", line_ ? line_->Received() : 0},
                               {"unlogged", limiter_.TakeDropped()}});
}

void BulkSide::QueueEnd(const BulkSession& id, std::uint64_t received) {
  Envelope notice;
  notice.kind = MessageKind::kReply;
  notice.verb = kBulkVerb;
  notice.body = {{"end", HexEncode(id)}, {"received", received}};
  to_curve_.push_back({EncodeHeader(notice), {}});
}

void BulkSide::HearEnd(const Json& body) {
  const auto id = BulkSessionFrom(body, "end");
  const auto number = body.find("received");
  if (!id || number == body.end() || !number->is_number_unsigned()) {
    ++dropped_;
    return;
  }
  if (id_ == id) End(Error{ErrorId::kUnreachable, "the other side ended it", {}});
  const auto it = std::find_if(ended_.begin(), ended_.end(), [&id](const Ended& one) { return one.id == *id; });
  if (it == ended_.end()) return;
  for (BulkMessage& lost : it->line->TakeLost(number->get<std::uint64_t>())) to_curve_.push_back(std::move(lost));
  ended_.erase(it);
  Flush();
}

void BulkSide::Flush() {
  flush_at_.reset();
  while (!to_curve_.empty()) {
    const Sent sent = by_curve_(to_curve_.front().header, to_curve_.front().blob);
    if (sent == Sent::kFull) {
      flush_at_ = SteadyNow() + kFlushPause;
      return;
    }
    if (sent == Sent::kNoPeer) return to_curve_.clear();
    to_curve_.pop_front();
  }
}

void BulkSide::Serve(std::deque<Envelope>& out, std::size_t limit) {
  const milliseconds now = SteadyNow();
  if (flush_at_ && now >= *flush_at_) Flush();
  if (!id_) return;
  if (line_) {
    std::vector<BulkMessage> arrived;
    const auto served = line_->Serve(arrived, limit > out.size() ? limit - out.size() : 0);
    for (BulkMessage& message : arrived) {
      auto envelope = DecodeHeader(message.header);
      if (!envelope) {
        ++dropped_;
        continue;
      }
      envelope->blob = std::move(message.blob);
      out.push_back(std::move(*envelope));
    }
    if (!served) return End(served.error());
  }
  if (State() != BulkState::kUp) {
    if (now >= opening_until_) End(Error{ErrorId::kTimedOut, "it did not come about in time", {}});
    return;
  }
  if (!std::exchange(announced_, true)) {
    if (limiter_.Allow(now)) log::Info("bulk line up", {{"with", name_}});
    used_ = now;
  }
  const std::uint64_t moved = Moved();
  if (std::exchange(moved_, moved) != moved) used_ = now;
  if (now >= used_ + options_.bulk.idle) End(Error{ErrorId::kInterrupted, "it was idle", {}});
}

void BulkSide::Linger(milliseconds end) {
  std::vector<BulkMessage> ignored;
  while (line_ && line_->WantsToWrite() && SteadyNow() < end) {
    pollfd one{line_->Socket(), POLLOUT, 0};
    const auto left = std::max<milliseconds::rep>((end - SteadyNow()).count(), 0);
    if (::poll(&one, 1, static_cast<int>(left)) < 0 || !line_->Serve(ignored, 0)) return;
  }
}

void BulkSide::Wishes(std::vector<PollWish>& out) const {
  if (!line_) return;
  out.push_back({line_->Socket(), static_cast<short>(POLLIN | (line_->WantsToWrite() ? POLLOUT : 0))});
}

std::optional<milliseconds> BulkSide::NextTimer() const {
  std::optional<milliseconds> next = flush_at_;
  const auto consider = [&next](milliseconds at) { next = std::min(next.value_or(at), at); };
  if (!id_) return next;
  if (State() != BulkState::kUp) {
    consider(opening_until_);
    return next;
  }
  if (const auto line = line_->NextTimer()) consider(*line);
  consider(used_ + options_.bulk.idle);
  return next;
}

}  // namespace ote::wire
