#include "core/wire/bulk_port.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "core/base/ids.h"

namespace ote::wire {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kAcceptPause{1'000};  // when there are no more descriptors

BulkSession RandomSession() {
  BulkSession out{};
  for (std::size_t i = 0; i < out.size(); i += 8) {
    const std::uint64_t word = RandomU64();
    for (std::size_t j = 0; j < 8; ++j) out.at(i + j) = static_cast<std::uint8_t>(word >> (8 * j));
  }
  return out;
}

}  // namespace

BulkPort::BulkPort(ByCurve by_curve, const ZmqOptions& options) : by_curve_(std::move(by_curve)), options_(options) {}

void BulkPort::Listen(const std::string& host) {
  if (!options_.bulk.use || listening_.contains(host)) return;
  auto bound = ListenTcp(host, port_ == 0 ? options_.bulk.port : port_);  // one number for all addresses
  if (!bound) {
    log::Warn("no bulk lines here, all goes over CURVE", {{"why", bound.error().message}});
    return;
  }
  port_ = bound->second;
  listening_.emplace(host, std::move(bound->first));
  log::Info("listening for bulk lines", {{"host", host}, {"port", port_}});
}

void BulkPort::Hear(PeerId peer, const Caller& caller, const Envelope& envelope) {
  if (envelope.kind == MessageKind::kRequest) return Agree(peer, caller, envelope);
  const auto it = sides_.find(peer);
  if (it != sides_.end() && envelope.kind == MessageKind::kReply) it->second.HearEnd(envelope.body);
}

void BulkPort::Answer(PeerId peer, const Envelope& ask, Json body) {
  // Whoever does not get it asks again.
  static_cast<void>(by_curve_(peer, EncodeHeader(MakeReply(ask, std::move(body))), {}));
}

void BulkPort::Agree(PeerId peer, const Caller& caller, const Envelope& ask) {
  const auto key = ask.body.find("key");
  const auto theirs = key != ask.body.end() && key->is_string()
                          ? crypto::KeyFromText(key->get_ref<const std::string&>())
                          : Result<std::array<std::uint8_t, 32>>(Fail(ErrorId::kProtocol, "no key"));
  // A token is for enrolment, which has no large blobs.
  if (listening_.empty() || !theirs || caller.kind == CallerKind::kToken) return Answer(peer, ask, {{"port", 0}});
  const BulkSession id = RandomSession();
  const auto offer = crypto::SessionOffer::Make();
  auto session = offer.Agree({*theirs}, crypto::SessionSide::kListener, BulkAgreement(id), options_.bulk.pieces);
  if (!session) return Answer(peer, ask, {{"port", 0}});
  const auto it =
      sides_
          .try_emplace(
              peer, caller.name,
              [this, peer](Bytes header, const Blob& blob) { return by_curve_(peer, std::move(header), blob); }, pool_,
              options_)
          .first;
  it->second.Begin(id, std::move(*session));
  Answer(peer, ask, {{"port", port_}, {"session", HexEncode(id)}, {"key", crypto::ToText(offer.Public().bytes)}});
}

BulkSent BulkPort::Send(PeerId peer, const Bytes& header, const Envelope& envelope) {
  const auto it = sides_.find(peer);
  return it != sides_.end() && it->second.IsFor(envelope) ? it->second.Send(header, envelope) : BulkSent::kNotHere;
}

void BulkPort::Forget(PeerId peer) {
  const auto it = sides_.find(peer);
  if (it == sides_.end()) return;
  dropped_ += it->second.Dropped();
  moved_ += it->second.Moved();
  sides_.erase(it);
}

std::vector<BulkPort::Arrival> BulkPort::Serve(std::size_t limit) {
  Accept();
  std::erase_if(strangers_, [this](Stranger& one) { return !ReadStranger(one); });
  std::vector<Arrival> out;
  for (auto& [peer, side] : sides_) {
    std::deque<Envelope> arrived;
    side.Serve(arrived, limit - out.size());
    for (Envelope& envelope : arrived) out.push_back({peer, std::move(envelope)});
  }
  return out;
}

void BulkPort::Accept() {
  const milliseconds now = SteadyNow();
  if (now < accept_from_) return;
  for (const auto& [host, listening] : listening_) {
    for (std::size_t i = 0; i < kStrangers; ++i) {
      auto next = AcceptTcp(listening.get());
      if (!next) {
        accept_from_ = now + kAcceptPause;
        return;
      }
      if (!*next) break;
      if (strangers_.size() >= kStrangers) {
        strangers_.pop_front();
        ++dropped_;
      }
      Stranger& stranger = strangers_.emplace_back();
      stranger.connection = std::move(**next);
      stranger.until = now + options_.bulk.hello;
    }
  }
}

bool BulkPort::ReadStranger(Stranger& stranger) {
  auto& [connection, bytes, filled, until] = stranger;
  while (filled < bytes.size()) {
    const ssize_t size = ::recv(connection.get(), bytes.data() + filled, bytes.size() - filled, MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (SteadyNow() < until) return true;
      ++dropped_;
      return false;
    }
    if (size <= 0) return false;
    filled += static_cast<std::size_t>(size);
  }
  const ByteView whole(bytes);
  for (auto& [peer, side] : sides_) {
    if (!side.Current() || side.State() != BulkState::kOpening) continue;
    const Bytes intro = MakeBulkIntro(*side.Current());
    if (!std::equal(intro.begin(), intro.end(), whole.begin())) continue;
    side.Adopted(std::move(connection), whole.subspan(intro.size()));
    return false;
  }
  ++dropped_;
  if (limiter_.Allow(SteadyNow())) {
    log::Info("bulk line refused: it names no session that is awaited", {{"unlogged", limiter_.TakeDropped()}});
  }
  return false;
}

void BulkPort::Linger(milliseconds end) {
  for (auto& [peer, side] : sides_) side.Linger(end);
}

void BulkPort::Wishes(std::vector<PollWish>& out) const {
  if (SteadyNow() >= accept_from_) {
    for (const auto& [host, listening] : listening_) out.push_back({listening.get(), POLLIN});
  }
  for (const Stranger& stranger : strangers_) out.push_back({stranger.connection.get(), POLLIN});
  for (const auto& [peer, side] : sides_) side.Wishes(out);
}

std::optional<milliseconds> BulkPort::NextTimer() const {
  std::optional<milliseconds> next;
  const auto consider = [&next](const std::optional<milliseconds>& at) {
    if (at) next = std::min(next.value_or(*at), *at);
  };
  if (SteadyNow() < accept_from_) consider(accept_from_);
  if (!strangers_.empty()) consider(strangers_.front().until);
  for (const auto& [peer, side] : sides_) consider(side.NextTimer());
  return next;
}

std::uint64_t BulkPort::Dropped() const noexcept {
  std::uint64_t sum = dropped_;
  for (const auto& [peer, side] : sides_) sum += side.Dropped();
  return sum;
}

std::uint64_t BulkPort::Moved() const noexcept {
  std::uint64_t sum = moved_;
  for (const auto& [peer, side] : sides_) sum += side.Moved();
  return sum;
}

}  // namespace ote::wire
