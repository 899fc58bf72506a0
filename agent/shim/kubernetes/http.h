// The seam between what we want of a Kubernetes API server and how it is asked: requests and answers.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/base/codec.h"

namespace ote::kube {

struct Request {
  std::string method = "GET";
  std::string path;  // with its query, from the root of the server
  std::string body;
  std::string content_type = "application/json";
  std::string accept = "application/json";
  // For the whole, waiting and trying again included. A stream has no end of its own: how long it may be silent.
  std::chrono::milliseconds patience{30'000};
  std::size_t limit = 64U << 20;  // bytes of the answer
  // A stream: takes what comes of an answer of 200 as it comes; false ends it. Never tried again.
  std::function<bool(std::string_view)> chunk;
  // Of a stream: the server took it (200), and what follows comes when it comes.
  std::function<void()> opened;
};

inline Request Get(std::string path) {
  Request request;
  request.path = std::move(path);
  return request;
}

struct Answer {
  int status = 0;
  std::string body;  // empty when it was streamed
  std::string content_type;
  std::chrono::milliseconds retry_after{0};
};

class Api {
 public:
  using Done = std::function<void(Result<Answer>)>;

  virtual ~Api() = default;
  // Any thread. `done` is called once, in the thread of the API, with whatever status the server answered;
  // kKubeUnreachable, kKubeRefused (its certificate) or kKubeConfig when there is no answer.
  virtual std::uint64_t Send(Request request, Done done) = 0;
  // Any thread. `done` is not called any more once this was called in the API's own thread.
  virtual void Cancel(std::uint64_t id) = 0;
  // Any thread: runs it in the API's own, after `delay`.
  virtual void After(std::chrono::milliseconds delay, std::function<void()> fn) = 0;
};

// Sends and waits; never in the API's own thread.
Result<Answer> Call(Api& api, Request request);
// The same for an answer of 200 to 299 with JSON in it; anything else is the error of CheckAnswer.
Result<Json> CallJson(Api& api, Request request, const std::string& what);

// Whether the same request may be answered otherwise a little later.
bool MayPass(const Answer& answer);

// The error that an answer tells: what failed, the server's words and the fields that it names.
Result<void> CheckAnswer(const Answer& answer, const std::string& what);
// The same of a Status object (meta.k8s.io/v1), as it stands in a body or in a watch.
Error StatusError(int code, const Json& status, const std::string& what);

}  // namespace ote::kube
