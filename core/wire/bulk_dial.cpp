#include "core/wire/bulk_dial.h"

#include <algorithm>

namespace ote::wire {

using std::chrono::milliseconds;

BulkDial::BulkDial(std::string name, const PeerAddress& there, BulkSide::ByCurve by_curve,
                   std::shared_ptr<BlobPool> pool, const ZmqOptions& options)
    : there_(there),
      by_curve_(by_curve),
      options_(options),
      side_(std::move(name), by_curve, std::move(pool), options) {}

void BulkDial::SawLarge() {
  wanted_ = true;
  Ask();
}

void BulkDial::Ask() {
  if (!wanted_ || offer_ || side_.State() != BulkState::kNone || SteadyNow() < next_) return;
  auto offer = crypto::SessionOffer::Make();
  const Envelope ask = MakeRequest(++asked_, kBulkVerb, {{"key", crypto::ToText(offer.Public().bytes)}});
  if (by_curve_(EncodeHeader(ask), {}) != Sent::kYes) return;  // the next large blob asks again
  wanted_ = false;
  offer_.emplace(std::move(offer));
  ask_until_ = SteadyNow() + options_.bulk.hello;
}

void BulkDial::Hear(const Envelope& envelope) {
  if (envelope.kind == MessageKind::kReply && envelope.id == 0) return side_.HearEnd(envelope.body);
  if (!offer_ || envelope.id != asked_) return;
  if (envelope.kind == MessageKind::kReply) {
    Open(envelope);
  } else {
    RetryLater(options_.bulk.retry_max);  // it does not know them
  }
  offer_.reset();
}

void BulkDial::Open(const Envelope& answer) {
  const Json& body = answer.body;
  const auto port = body.find("port");
  const auto key = body.find("key");
  const auto id = BulkSessionFrom(body, "session");
  const bool whole = id && port != body.end() && port->is_number_unsigned() && key != body.end() && key->is_string();
  const auto number = whole ? port->get<std::uint64_t>() : 0;
  const auto theirs = whole ? crypto::KeyFromText(key->get_ref<const std::string&>())
                            : Result<std::array<std::uint8_t, 32>>(Fail(ErrorId::kProtocol, "no key"));
  if (number == 0 || number > 65'535 || !theirs) return RetryLater(options_.bulk.retry_max);
  auto session = offer_->Agree({*theirs}, crypto::SessionSide::kCaller, BulkAgreement(*id), options_.bulk.pieces);
  if (!session) return RetryLater(options_.bulk.retry_max);
  side_.Begin(*id, std::move(*session));
  was_open_ = true;
  auto connection = ConnectTcp(there_, static_cast<int>(number));
  if (connection) side_.Connected(std::move(*connection));  // else it ends when its time is over
}

void BulkDial::RetryLater(milliseconds at_least) {
  backoff_ = std::clamp(std::max(backoff_ * 2, at_least), options_.bulk.retry_min, options_.bulk.retry_max);
  next_ = SteadyNow() + backoff_;
}

void BulkDial::Serve(std::deque<Envelope>& out, std::size_t limit) {
  if (offer_ && SteadyNow() >= ask_until_) {
    offer_.reset();
    RetryLater({});
  }
  side_.Serve(out, limit);
  if (side_.State() == BulkState::kNone && std::exchange(was_open_, false)) {
    if (side_.Failed()) {
      RetryLater({});
    } else {
      backoff_ = next_ = milliseconds(0);
    }
  }
}

std::optional<milliseconds> BulkDial::NextTimer() const {
  auto next = side_.NextTimer();
  if (offer_) next = std::min(next.value_or(ask_until_), ask_until_);
  return next;
}

}  // namespace ote::wire
