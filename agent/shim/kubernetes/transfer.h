// One request as libcurl runs it. For client.cpp alone.
#pragma once

#include <memory>
#include <random>

#include "agent/shim/kubernetes/credentials.h"
#include "agent/shim/kubernetes/http.h"

namespace ote::kube {

// The bucket that requests are taken from.
class TokenBucket {
 public:
  TokenBucket(double rate, double burst) : rate_(rate), burst_(burst), left_(burst) {}
  // Nothing when one was taken; otherwise how long until there is one.
  std::chrono::milliseconds Take(std::chrono::milliseconds now);

 private:
  double rate_;
  double burst_;
  double left_;
  std::chrono::milliseconds last_{0};
};

// Before try `tries` (from 1), without what the server asks for.
std::chrono::milliseconds BackOff(int tries, std::mt19937& random);

struct Transfer {
  using Millis = std::chrono::milliseconds;

  std::uint64_t id = 0;
  Request request;
  Api::Done done;
  Answer answer;
  Millis deadline{0};  // steady; of the whole
  Millis next{0};      // not before
  int tries = 0;
  bool refreshed = false;  // the credentials were read again for it
  bool ended = false;      // by its own chunk
  bool cancelled = false;  // nobody waits for it any more
  bool too_large = false;
  bool streamed = false;    // bytes were given away
  void* easy = nullptr;     // CURL, while it runs
  void* headers = nullptr;  // curl_slist
  void* connect_to = nullptr;
  char error[256] = {};

  // Whether it has an end that is not its own.
  bool IsStream() const { return static_cast<bool>(request.chunk); }
  // Makes the handle; kKubeConfig when libcurl refuses an option.
  Result<void> Open(const Credentials& credentials, const Auth& auth, Millis now);
  // Frees the handle, wiping what was secret.
  void Close();
  // What the transfer that ended with `code` (a CURLcode) comes to.
  Result<void> Outcome(int code, const Credentials& credentials) const;
};

}  // namespace ote::kube
