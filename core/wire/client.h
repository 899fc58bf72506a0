// Asking over one link and waiting for the answer: what the command line does.
#pragma once

#include <functional>
#include <stop_token>

#include "core/wire/transport.h"

namespace ote::wire {

// One thread at a time. Requests that the other side sends are not answered.
class Client {
 public:
  // Connects within `patience` or fails: kUnreachable (nothing answers), kPinMismatch (another key answers),
  // kPermission (our key is not admitted).
  static Result<Client> Open(std::unique_ptr<Transport> transport, const Target& target,
                             const crypto::TransportKey& key, std::chrono::milliseconds patience);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  // Sends a request and waits for its one answer; the remote's error comes back as it was made there. kTimedOut past
  // `patience`; kUnreachable when the link is lost on the way.
  Result<Envelope> Call(std::string_view verb, Json body, std::chrono::milliseconds patience, Blob blob = {});
  // For streams: `on_item` is called for each answer but the last, which is returned; an error that it returns ends the
  // call. `patience` bounds the whole stream. kInterrupted when stopped, from any thread.
  Result<Envelope> Stream(std::string_view verb, Json body, std::chrono::milliseconds patience,
                          const std::function<Result<void>(Envelope&&)>& on_item, std::stop_token stop = {});

  // With typed bodies.
  template <class Reply, class Request>
  Result<Reply> Ask(std::string_view verb, const Request& request, std::chrono::milliseconds patience) {
    OTE_TRY(Envelope answer, Call(verb, ToJson(request), patience));
    return FromWire<Reply>(answer.body);
  }

 private:
  struct State;
  explicit Client(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ote::wire
