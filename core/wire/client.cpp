#include "core/wire/client.h"

#include <algorithm>
#include <deque>

#include "core/base/units.h"
#include "core/wire/cancel.h"

namespace ote::wire {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestWait = std::chrono::hours(1);

// A point in time by which something must have happened.
class Deadline {
 public:
  // A patience of a year or more is no bound that anyone lives to see.
  explicit Deadline(milliseconds patience)
      : patience_(patience),
        at_(SystemClock().SteadyNow() +
            std::clamp(patience, milliseconds(0), milliseconds(std::chrono::hours(24 * 365)))) {}
  // What Transport::Wait may take; 0 when it has passed.
  milliseconds Left() const { return std::clamp(at_ - SystemClock().SteadyNow(), milliseconds(0), kLongestWait); }

  milliseconds Patience() const { return patience_; }

 private:
  milliseconds patience_;
  milliseconds at_;
};

}  // namespace

struct Client::State {
  std::unique_ptr<Transport> transport;
  LinkId link;
  std::string endpoint;
  std::uint64_t next_id = 1;
  bool up = false;

  tl::unexpected<Error> Lost(std::string_view verb) const {
    return Fail(ErrorId::kUnreachable, std::string(verb) + ": the link to " + endpoint + " was lost");
  }
  Result<void> AwaitUp(milliseconds patience);
  // One answer to request `id`: `done` when it was the last.
  Result<Envelope> Ask(std::string_view verb, Json body, milliseconds patience, Blob blob,
                       const std::function<Result<void>(Envelope&&)>* on_item, const std::stop_token& stop);
  Result<Envelope> Await(std::uint64_t id, std::string_view verb, const Deadline& deadline,
                         const std::function<Result<void>(Envelope&&)>* on_item, const std::stop_token& stop);
};

Result<void> Client::State::AwaitUp(milliseconds patience) {
  const Deadline deadline(patience);
  while (true) {
    const milliseconds left = deadline.Left();
    for (const Event& event : transport->Wait(left)) {
      if (event.link != link) continue;
      if (event.kind == EventKind::kLinkUp) {
        up = true;
        return {};
      }
      if (event.kind == EventKind::kLinkRefused) {
        return Fail(ErrorId::kPermission, endpoint + ": it does not admit the key in use");
      }
      if (event.kind == EventKind::kLinkWrongKey) {
        return Fail(ErrorId::kPinMismatch, endpoint + ": what answers there does not hold the key that is pinned");
      }
    }
    if (left == milliseconds(0)) {
      return Fail(ErrorId::kUnreachable, "nothing answers at " + endpoint + " within " + FormatDuration(patience));
    }
  }
}

Result<Envelope> Client::State::Ask(std::string_view verb, Json body, milliseconds patience, Blob blob,
                                    const std::function<Result<void>(Envelope&&)>* on_item,
                                    const std::stop_token& stop) {
  const Deadline deadline(patience);
  if (!up) {
    if (auto back = AwaitUp(patience); !back) return Fail(std::move(back).error().Context(verb));
  }
  const std::uint64_t id = next_id++;
  OTE_CHECK(transport->Send(link, MakeRequest(id, verb, std::move(body), std::move(blob))));
  auto answer = Await(id, verb, deadline, on_item, stop);
  // What the reader of a stream leaves before its end would go on at the other side.
  if (!answer && on_item != nullptr && up) {
    if (auto told = transport->Send(link, MakeCancel(id)); !told) up = false;
  }
  return answer;
}

Result<Envelope> Client::State::Await(std::uint64_t id, std::string_view verb, const Deadline& deadline,
                                      const std::function<Result<void>(Envelope&&)>* on_item,
                                      const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] { transport->Wake(); });
  while (true) {
    if (stop.stop_requested()) return Fail(ErrorId::kInterrupted, std::string(verb) + ": stopped");
    const milliseconds left = deadline.Left();
    bool lost = false;
    for (Event& event : transport->Wait(left)) {
      if (event.link != link) continue;
      if (event.kind == EventKind::kLinkUp) up = true;
      if (event.kind == EventKind::kLinkDown) {
        up = false;
        lost = true;
      }
      if (event.kind != EventKind::kLinkMessage || event.envelope.kind == MessageKind::kRequest) continue;
      Envelope& answer = event.envelope;
      if (answer.id != id && answer.verb != kEvictedVerb) continue;  // a late answer to an earlier question
      if (answer.kind == MessageKind::kError) return Fail(ErrorOf(answer));
      if (answer.last) return std::move(answer);
      if (on_item != nullptr) OTE_CHECK((*on_item)(std::move(answer)));
      if (stop.stop_requested()) return Fail(ErrorId::kInterrupted, std::string(verb) + ": stopped");
    }
    if (lost) return Lost(verb);
    if (left == milliseconds(0)) {
      return Fail(ErrorId::kTimedOut, std::string(verb) + ": no answer from " + endpoint + " within " +
                                          FormatDuration(deadline.Patience()));
    }
  }
}

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::Open(std::unique_ptr<Transport> transport, const Target& target, const crypto::TransportKey& key,
                            milliseconds patience) {
  auto state = std::make_unique<State>();
  state->transport = std::move(transport);
  state->endpoint = target.endpoint;
  OTE_TRY(state->link, state->transport->Connect(target, key));
  OTE_CHECK(state->AwaitUp(patience));
  return Client(std::move(state));
}

Result<Envelope> Client::Call(std::string_view verb, Json body, milliseconds patience, Blob blob) {
  return state_->Ask(verb, std::move(body), patience, std::move(blob), nullptr, {});
}

Result<Envelope> Client::Stream(std::string_view verb, Json body, milliseconds patience,
                                const std::function<Result<void>(Envelope&&)>& on_item, std::stop_token stop) {
  return state_->Ask(verb, std::move(body), patience, {}, &on_item, stop);
}

}  // namespace ote::wire
