#include "core/wire/zmq_link.h"

#include <algorithm>
#include <zmq.hpp>

#include "core/base/ids.h"

namespace ote::wire {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kProbePatience{3'000};
constexpr int kNeverByItself = 3'600'000;  // ZeroMQ's own reconnection: we come first
constexpr int kEvents = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED |
                        ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                        ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

// Half of `span` to all of it: those who lost the same server do not all come back at once.
milliseconds Jittered(milliseconds span) {
  const auto half = static_cast<std::uint64_t>(std::max<milliseconds::rep>(span.count(), 2)) / 2;
  return milliseconds(half + RandomU64() % (half + 1));
}

}  // namespace

Result<std::unique_ptr<ZmqLink>> ZmqLink::Make(zmq::context_t& context, LinkId id, const Target& target,
                                               const crypto::TransportKey& key, const ZmqOptions& options) {
  OTE_TRY(const Endpoint endpoint, ParseEndpoint(target.endpoint));
  if (endpoint.scheme == Scheme::kTcp && (endpoint.port == "0" || endpoint.host == "*")) {
    return Fail(ErrorId::kEndpointInvalid, "connect to " + target.endpoint + ": names no host and port");
  }
  OTE_TRY(crypto::TransportKey own, crypto::TransportKey::FromSecret(key.Secret()));
  std::unique_ptr<ZmqLink> link(new ZmqLink(context, id, target, std::move(own), options));
  OTE_TRY(link->address_, ZmqAddress(endpoint, &link->folder_));
  OTE_CHECK(Guard("connect to " + target.endpoint, [&link] { link->Start(); }));
  return link;
}

ZmqLink::~ZmqLink() { CloseSockets(up_ ? kLingerMs : 0); }

void ZmqLink::CloseSockets(int linger_ms) {
  probe_.reset();
  if (bulk_) {
    dropped_ += bulk_->Side().Dropped();
    moved_ += bulk_->Side().Moved();
    bulk_.reset();
  }
  CloseWatched(socket_, monitor_, linger_ms);
  connected_ = up_ = false;
}

void ZmqLink::Start() {
  ZmqSocket socket(new zmq::socket_t(context_, zmq::socket_type::dealer));
  ApplyCommonOptions(*socket, options_);
  socket->set(zmq::sockopt::reconnect_ivl, kNeverByItself);
  socket->set(zmq::sockopt::connect_timeout, static_cast<int>(options_.handshake.count()));
  const auto set_key = [&socket](auto option, ByteView bytes) {
    socket->set(option, zmq::const_buffer(bytes.data(), bytes.size()));
  };
  set_key(zmq::sockopt::curve_serverkey, target_.server_key.bytes);
  set_key(zmq::sockopt::curve_publickey, key_.Public().bytes);
  set_key(zmq::sockopt::curve_secretkey, key_.Secret());
  socket_ = std::move(socket);
  monitor_ = WatchSocket(context_, *socket_, kEvents);
  next_ = SteadyNow() + options_.handshake * 2;
  socket_->connect(address_);
}

void ZmqLink::RetryLater() {
  backoff_ = std::clamp(backoff_ * 2, options_.reconnect_min, options_.reconnect_max);
  next_ = SteadyNow() + Jittered(backoff_);
}

std::optional<milliseconds> ZmqLink::NextTimer() const {
  if (up_) return bulk_ ? bulk_->NextTimer() : std::nullopt;
  return probe_ ? probe_->Deadline() : next_;
}

Event ZmqLink::Make(EventKind kind) const {
  Event event;
  event.kind = kind;
  event.link = id_;
  return event;
}

void ZmqLink::Serve(std::deque<Event>& out) {
  while (monitor_) {
    const auto event = NextMonitorEvent(*monitor_);
    if (!event) break;
    OnMonitor(*event, out);
  }
  if (probe_) OnProbe(probe_->Serve(), out);
  if (up_ || probe_ || SteadyNow() < next_) return;
  if (socket_) {
    EndAttempt(End::kDown, out);
  } else if (!Guard("connect", [this] { Start(); })) {
    CloseSockets(0);  // no descriptors left; they may come back
    RetryLater();
  }
}

void ZmqLink::OnMonitor(const MonitorEvent& event, std::deque<Event>& out) {
  switch (event.event) {
    case ZMQ_EVENT_CONNECTED:
      connected_ = true;
      connected_at_ = SteadyNow();
      there_ = PeerAddressOf(event.value);
      return;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
      up_ = true;
      hung_up_before_ = false;
      backoff_ = milliseconds(0);
      OpenBulk();
      out.push_back(Make(EventKind::kLinkUp));
      return;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
      return EndAttempt(event.value == 400 ? End::kRefused : End::kDown, out);
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      return EndAttempt(End::kWrongKey, out);
    default:
      break;
  }
  if (up_) {
    // What came before the end is still to be had; it is bounded by the queue.
    Receive(out, out.size() + static_cast<std::size_t>(options_.queue) * 2 + 1);
    CloseSockets(0);
    out.push_back(Make(EventKind::kLinkDown));
    RetryLater();
    return;
  }
  const bool at_once = connected_ && SteadyNow() - connected_at_ < options_.handshake / 2;
  EndAttempt(at_once ? End::kHungUp : End::kDown, out);
}

void ZmqLink::EndAttempt(End end, std::deque<Event>& out) {
  CloseSockets(0);
  if (end == End::kHungUp && !hung_up_before_) {
    const auto started =
        Guard("probe", [this] { probe_ = std::make_unique<ZmqProbe>(context_, address_, kProbePatience); });
    if (started) return;
    end = End::kDown;
  }
  hung_up_before_ = false;
  if (end == End::kRefused) out.push_back(Make(EventKind::kLinkRefused));
  if (end == End::kWrongKey || end == End::kHungUp) out.push_back(Make(EventKind::kLinkWrongKey));
  RetryLater();
}

void ZmqLink::OnProbe(ProbeResult result, std::deque<Event>& out) {
  if (result == ProbeResult::kPending) return;
  probe_.reset();
  if (result == ProbeResult::kCurveServer) {
    hung_up_before_ = true;
    next_ = SteadyNow();
  } else {
    EndAttempt(result == ProbeResult::kSomethingElse ? End::kWrongKey : End::kDown, out);
  }
}

void ZmqLink::Receive(std::deque<Event>& out, std::size_t limit) {
  zmq::message_t header;
  while (up_ && out.size() < limit && ReceiveFrame(*socket_, header)) {
    zmq::message_t blob;
    const bool whole = !header.more() || (ReceiveFrame(*socket_, blob) && !blob.more());
    SkipRest(*socket_, header.more() ? blob : header);
    auto envelope = whole ? Assemble(std::move(header), std::move(blob))
                          : Result<Envelope>(Fail(ErrorId::kProtocol, "message: more than two frames"));
    if (!envelope) {
      ++dropped_;
      continue;
    }
    if (envelope->verb == kBulkVerb) {
      if (bulk_) bulk_->Hear(*envelope);
      continue;
    }
    if (bulk_ && bulk_->Side().IsFor(*envelope)) bulk_->SawLarge();
    Event event = Make(EventKind::kLinkMessage);
    event.envelope = std::move(*envelope);
    out.push_back(std::move(event));
  }
  if (bulk_) ReceiveBulk(out, limit);
}

void ZmqLink::OpenBulk() {
  if (!options_.bulk.use || !there_) return;
  bulk_ = std::make_unique<BulkDial>(
      target_.endpoint, *there_,
      [this](Bytes header, const Blob& blob) { return SendMessage(*socket_, {}, std::move(header), blob); }, pool_,
      options_);
}

void ZmqLink::ReceiveBulk(std::deque<Event>& out, std::size_t limit) {
  std::deque<Envelope> arrived;
  bulk_->Serve(arrived, limit - std::min(limit, out.size()));
  for (Envelope& envelope : arrived) {
    Event event = Make(EventKind::kLinkMessage);
    event.envelope = std::move(envelope);
    out.push_back(std::move(event));
  }
}

void ZmqLink::Wishes(std::vector<PollWish>& out) const {
  if (bulk_) bulk_->Side().Wishes(out);
}

void ZmqLink::Linger(milliseconds end) {
  if (bulk_) bulk_->Side().Linger(end);
}

Result<void> ZmqLink::Send(Envelope envelope) {
  OTE_TRY(Bytes header, EncodeForSending(envelope));
  if (bulk_ && bulk_->Side().IsFor(envelope)) {
    switch (bulk_->Side().Send(header, envelope)) {
      case BulkSent::kYes:
        return {};
      case BulkSent::kFull:
        return Fail(ErrorId::kBusy, "send " + envelope.verb + ": the queue to " + target_.endpoint + " is full");
      case BulkSent::kNotHere:
        bulk_->SawLarge();
        break;
    }
  }
  if (up_) {
    switch (SendMessage(*socket_, {}, std::move(header), envelope.blob)) {
      case Sent::kYes:
        return {};
      case Sent::kFull:
        return Fail(ErrorId::kBusy, "send " + envelope.verb + ": the queue to " + target_.endpoint + " is full");
      case Sent::kNoPeer:
        break;
    }
  }
  return Fail(ErrorId::kUnreachable, "send " + envelope.verb + ": the link to " + target_.endpoint + " is down");
}

}  // namespace ote::wire
