// The HTTP client of the Kubernetes API: libcurl in a thread of its own.
//
// TLS 1.2 or newer, always verified. At most 20 requests a second, 40 at once. What may be tried again (429, 502, 503,
// 504, most of 500, a broken connection) is, with jittered back-off and no sooner than Retry-After says, until the
// request's patience ends. After a 401 the credentials are read again, once a request.
#pragma once

#include <memory>

#include "agent/shim/kubernetes/credentials.h"
#include "agent/shim/kubernetes/http.h"

namespace ote::kube {

class Client final : public Api {
 public:
  explicit Client(Credentials credentials);
  // Ends every request with kKubeUnreachable, and waits for its thread.
  ~Client() override;

  std::uint64_t Send(Request request, Done done) override;
  void Cancel(std::uint64_t id) override;
  void After(std::chrono::milliseconds delay, std::function<void()> fn) override;
  // Ends every request and every later one, and waits for the thread: nothing is called any more. Not in its own
  // thread.
  void Stop();

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace ote::kube
