#include "core/wire/zmq_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <thread>
#include <zmq.hpp>

#include "core/wire/zmq_caller.h"

namespace ote::wire {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kCutAfter{200};  // lets the notice leave
constexpr milliseconds kBindPause{10};
constexpr int kMostTries = 300;
constexpr const char* kZapEndpoint = "inproc://zeromq.zap.01";
constexpr std::string_view kDomain = "ote";
constexpr std::string_view kLocalDomain = "ote-local";  // of the control socket

std::string_view TextOf(const zmq::message_t& frame) { return {frame.data<const char>(), frame.size()}; }

// ZeroMQ's own routing ids have five bytes, the first of them zero.
bool WasChosen(std::string_view routing_id) { return routing_id.size() != 5 || routing_id.front() != '\0'; }

// The peer's descriptor, which ZeroMQ tells with every message.
int DescriptorOf(zmq::message_t& frame) { return zmq_msg_get(frame.handle(), ZMQ_SRCFD); }

}  // namespace

ZmqListener::ZmqListener(zmq::context_t& context, const crypto::TransportKey& key, Admission& admission,
                         const ZmqOptions& options)
    : context_(context),
      key_(key),
      admission_(admission),
      options_(options),
      bulk_([this](PeerId peer, Bytes header, const Blob& blob) { return SendByCurve(peer, std::move(header), blob); },
            options) {}

ZmqListener::~ZmqListener() { CloseWatched(router_, monitor_, kLingerMs); }

void ZmqListener::Open() {
  zap_.reset(new zmq::socket_t(context_, zmq::socket_type::rep));
  zap_->set(zmq::sockopt::linger, 0);
  zap_->bind(kZapEndpoint);
  router_.reset(new zmq::socket_t(context_, zmq::socket_type::router));
  ApplyCommonOptions(*router_, options_);
  router_->set(zmq::sockopt::router_mandatory, true);
  router_->set(zmq::sockopt::router_handover, false);
  router_->set(zmq::sockopt::curve_server, true);
  const ByteView secret = key_.Secret();
  router_->set(zmq::sockopt::curve_secretkey, zmq::const_buffer(secret.data(), secret.size()));
  router_->set(zmq::sockopt::zap_domain, kDomain);
  monitor_ = WatchSocket(context_, *router_, ZMQ_EVENT_DISCONNECTED);
}

Result<std::string> ZmqListener::Bind(const std::string& text, const crypto::TransportKey* as) {
  OTE_TRY(const Endpoint endpoint, ParseEndpoint(text));
  FolderHandle folder;
  OTE_TRY(std::string address, ZmqAddress(endpoint, &folder));
  if (endpoint.scheme == Scheme::kIpc) {
    OTE_CHECK(ClearStaleSocket(endpoint, address));
  } else if (endpoint.host == "localhost") {
    address = "tcp://127.0.0.1:" + endpoint.port;  // ZeroMQ looks up no names when it binds
  }
  // ZeroMQ copies a socket's options into each of its listeners when that is made.
  const auto prove = [this](const crypto::TransportKey& key, std::string_view domain) {
    const ByteView secret = key.Secret();
    router_->set(zmq::sockopt::curve_secretkey, zmq::const_buffer(secret.data(), secret.size()));
    router_->set(zmq::sockopt::zap_domain, std::string(domain));
  };
  const auto before = bound_.find(text);
  const bool again = as != nullptr && before != bound_.end();
  if (again) {
    OTE_CHECK(Unbind(before->second));
    bound_.erase(before);
  }
  const auto bind = [&] {
    return Guard("listen on " + text, [&] {
      prove(as != nullptr ? *as : key_, endpoint.scheme == Scheme::kIpc ? kLocalDomain : kDomain);
      router_->bind(address);
    });
  };
  auto bound_as = bind();
  // ZeroMQ closes what it let go of in another thread.
  for (int tries = 0; again && !bound_as && bound_as.error().id == ErrorId::kPortInUse && tries < kMostTries; ++tries) {
    std::this_thread::sleep_for(kBindPause);
    bound_as = bind();
  }
  OTE_CHECK(Guard("listen on " + text, [&] { prove(key_, kDomain); }));
  OTE_CHECK(bound_as);
  if (endpoint.scheme == Scheme::kIpc) {
    folders_.push_back(std::move(folder));
    const std::string path = address.substr(address.find("://") + 3);
    if (::chmod(path.c_str(), 0600) != 0)
      return Fail(ErrorId::kPermission, "listen on " + text + ": cannot make it private");
    return text;
  }
  const std::string bound = router_->get(zmq::sockopt::last_endpoint);
  const auto colon = bound.rfind(':');
  const auto host = bound.find("://") + 3;
  bulk_.Listen(bound.substr(host, colon - host));
  auto told = "tcp://" + endpoint.host + bound.substr(colon);
  bound_[told] = bound;
  return told;
}

Result<void> ZmqListener::Unbind(const std::string& address) {
  // ZeroMQ closes the connections that were accepted there. Members are at such endpoints alone; of an operator, who
  // may be at the control socket, the monitor tells.
  for (auto it = peers_.begin(); it != peers_.end();) {
    const auto here = it++;
    if (here->second.caller.kind == CallerKind::kMember) Forget(here);
  }
  return Guard("stop listening on " + address, [&] { router_->unbind(address); });
}

Result<void> ZmqListener::Send(PeerId peer, Envelope envelope) {
  OTE_TRY(Bytes header, EncodeForSending(envelope));
  const auto it = peers_.find(peer);
  const auto gone = [&envelope] { return Fail(ErrorId::kUnreachable, "send " + envelope.verb + ": the peer is gone"); };
  if (it == peers_.end()) return gone();
  const auto full = [&envelope, &it] {
    return Fail(ErrorId::kBusy, "send " + envelope.verb + ": the queue to " + it->second.caller.name + " is full");
  };
  const BulkSent by_bulk = bulk_.Send(peer, header, envelope);
  if (by_bulk == BulkSent::kYes) return {};
  if (by_bulk == BulkSent::kFull) return full();
  switch (SendMessage(*router_, it->second.routing_id, std::move(header), envelope.blob)) {
    case Sent::kYes:
      return {};
    case Sent::kFull:
      return full();
    case Sent::kNoPeer:
      break;
  }
  Forget(it);
  return gone();
}

void ZmqListener::Forget(std::map<PeerId, Peer>::iterator it) {
  const auto owner = by_descriptor_.find(it->second.descriptor);
  if (owner != by_descriptor_.end() && owner->second == it->first) by_descriptor_.erase(owner);
  ForgetPeer(it->first);
}

void ZmqListener::ForgetPeer(PeerId peer) {
  bulk_.Forget(peer);
  peers_.erase(peer);
}

Sent ZmqListener::SendByCurve(PeerId peer, Bytes header, const Blob& blob) {
  const auto it = peers_.find(peer);
  if (it == peers_.end()) return Sent::kNoPeer;
  return SendMessage(*router_, it->second.routing_id, std::move(header), blob);
}

void ZmqListener::Evict(const Caller& caller) {
  auto& lines = void_below_[{caller.kind, caller.name}];
  std::erase_if(lines, [&caller](const Line& line) { return line.serial <= caller.serial; });
  lines.push_back({next_peer_, caller.serial});
  for (auto it = peers_.begin(); it != peers_.end();) {
    const auto here = it++;
    if (!IsAtMost(here->second.caller, caller)) continue;
    Dismiss(here->second.routing_id, here->second.descriptor);
    Forget(here);
  }
}

void ZmqListener::Dismiss(const std::string& routing_id, int descriptor) {
  static_cast<void>(SendMessage(*router_, routing_id, EncodeHeader(MakeEvictionNotice()), {}));
  if (descriptor >= 0) cuts_.push_back({descriptor, SteadyNow() + kCutAfter});
}

void ZmqListener::Serve() {
  AnswerZap();
  ForgetGone();
  DoCuts();
}

void ZmqListener::AnswerZap() {
  zmq::message_t frame;
  while (ReceiveFrame(*zap_, frame)) {
    // version, request id, domain, address, routing id, mechanism, key
    std::vector<std::string> request{std::string(TextOf(frame))};
    while (frame.more() && ReceiveFrame(*zap_, frame)) request.emplace_back(TextOf(frame));
    std::optional<Caller> caller;
    crypto::TransportPublic key;
    const bool local = request.size() == 7 && request[2] == kLocalDomain;
    if (request.size() == 7 && request[0] == "1.0" && (local || request[2] == kDomain) && request[5] == "CURVE" &&
        request[6].size() == key.bytes.size()) {
      std::copy(request[6].begin(), request[6].end(), reinterpret_cast<char*>(key.bytes.data()));
      caller = local ? admission_.AdmitLocal(key) : admission_.Admit(key);
    }
    if (!caller && request.size() > 3 && limiter_.Allow(SteadyNow())) {
      log::Info("connection refused: its key is not admitted",
                {{"address", request[3]}, {"unlogged", limiter_.TakeDropped()}});
    }
    const std::string user = caller ? FormatUserId({PeerId{next_peer_++}, *caller}) : std::string();
    const std::string_view id = request.size() > 1 ? std::string_view(request[1]) : std::string_view();
    const std::array<std::string_view, 6> reply{"1.0", id, caller ? "200" : "400", caller ? "OK" : "not admitted",
                                                user,  ""};
    for (std::size_t i = 0; i < reply.size(); ++i) {
      zap_->send(zmq::const_buffer(reply[i].data(), reply[i].size()),
                 i + 1 < reply.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
  }
}

void ZmqListener::ForgetGone() {
  while (const auto event = NextMonitorEvent(*monitor_)) {
    std::erase_if(cuts_, [&event](const Cut& cut) { return cut.descriptor == event->value; });
    const auto it = by_descriptor_.find(event->value);
    if (it == by_descriptor_.end()) continue;
    ForgetPeer(it->second);
    by_descriptor_.erase(it);
  }
}

void ZmqListener::DoCuts() {
  const milliseconds now = SteadyNow();
  std::erase_if(cuts_, [now](const Cut& cut) {
    if (cut.at > now) return false;
    // ForgetGone takes out those that closed by themselves, whose descriptors may mean something else by now.
    ::shutdown(cut.descriptor, SHUT_RDWR);
    return true;
  });
}

std::optional<milliseconds> ZmqListener::NextTimer() const {
  std::optional<milliseconds> next;
  for (const Cut& cut : cuts_) next = next ? std::min(*next, cut.at) : cut.at;
  if (const auto bulk = bulk_.NextTimer()) next = next ? std::min(*next, *bulk) : bulk;
  return next;
}

void ZmqListener::Receive(std::deque<Event>& out, std::size_t limit) {
  zmq::message_t routing_id;
  while (out.size() < limit && ReceiveFrame(*router_, routing_id)) {
    zmq::message_t header;
    zmq::message_t blob;
    if (!routing_id.more() || !ReceiveFrame(*router_, header)) continue;
    const char* property = zmq_msg_gets(header.handle(), "User-Id");
    const auto user = ParseUserId(property == nullptr ? "" : property);
    const int descriptor = DescriptorOf(header);
    const bool whole = !header.more() || (ReceiveFrame(*router_, blob) && !blob.more());
    SkipRest(*router_, header.more() ? blob : header);
    // What closed before this message came has been told by now; its descriptor may be this peer's.
    ForgetGone();
    if (!user || !Hear(user->peer, user->caller, std::string(TextOf(routing_id)), descriptor)) {
      CountDropped("its sender is not heard", user ? &user->caller : nullptr);
      continue;
    }
    auto envelope = whole ? Assemble(std::move(header), std::move(blob))
                          : Result<Envelope>(Fail(ErrorId::kProtocol, "message: more than two frames"));
    if (!envelope) {
      CountDropped(envelope.error().message, &user->caller);
      continue;
    }
    if (envelope->verb == kBulkVerb) {
      bulk_.Hear(user->peer, user->caller, *envelope);
      continue;
    }
    Event event;
    event.kind = EventKind::kPeerMessage;
    event.peer = user->peer;
    event.caller = user->caller;
    event.envelope = std::move(*envelope);
    out.push_back(std::move(event));
  }
  ReceiveBulk(out, limit);
}

void ZmqListener::ReceiveBulk(std::deque<Event>& out, std::size_t limit) {
  for (auto& [peer, envelope] : bulk_.Serve(limit - std::min(limit, out.size()))) {
    const auto it = peers_.find(peer);
    if (it == peers_.end()) continue;
    Event event;
    event.kind = EventKind::kPeerMessage;
    event.peer = peer;
    event.caller = it->second.caller;
    event.envelope = std::move(envelope);
    out.push_back(std::move(event));
  }
}

bool ZmqListener::Void(PeerId peer, const Caller& caller) const {
  const auto lines = void_below_.find({caller.kind, caller.name});
  return lines != void_below_.end() && std::ranges::any_of(lines->second, [&](const Line& line) {
           return peer.value < line.peer && caller.serial <= line.serial;
         });
}

bool ZmqListener::Hear(PeerId peer, const Caller& caller, std::string routing_id, int descriptor) {
  if (Void(peer, caller)) {
    const bool known =
        std::any_of(cuts_.begin(), cuts_.end(), [&](const Cut& cut) { return cut.descriptor == descriptor; });
    if (!known) Dismiss(routing_id, descriptor);
    return false;
  }
  if (WasChosen(routing_id)) return false;
  if (const auto it = peers_.find(peer); it != peers_.end()) return it->second.routing_id == routing_id;
  peers_.emplace(peer, Peer{std::move(routing_id), caller, descriptor});
  if (descriptor >= 0) {
    const auto before = by_descriptor_.find(descriptor);
    if (before != by_descriptor_.end()) ForgetPeer(before->second);
    by_descriptor_[descriptor] = peer;
  }
  return true;
}

void ZmqListener::CountDropped(std::string_view why, const Caller* caller) {
  ++dropped_;
  if (!limiter_.Allow(SteadyNow())) return;
  log::Warn("message dropped",
            {{"why", why}, {"caller", caller == nullptr ? "" : caller->name}, {"unlogged", limiter_.TakeDropped()}});
}

}  // namespace ote::wire
