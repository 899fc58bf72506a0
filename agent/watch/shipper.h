// Sends the log away: records go to a spool on disk, and a thread of its own takes them from there to Elasticsearch's
// bulk API, gzipped, in batches. ote-metrics(7) has what a record looks like and what is promised.
//
// Nobody waits for the other side: when it is slow or away the spool grows to its bound, and then gives up the oldest.
// A batch is done once each of its records was taken or refused for good; until then it is sent again, with jittered
// pauses or as long as the other side asks for. Records carry ids, so that what is sent twice is stored once.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "core/api/findings.h"
#include "core/api/watch.h"
#include "core/base/log_sink.h"
#include "core/base/result.h"

namespace ote::agent {

// What one attempt came to. `status` 0 when there was no answer; `message` says why then.
struct BulkReply {
  int status = 0;
  std::string body;
  std::string message;
  std::chrono::milliseconds retry_after{0};
};
// Posts one gzipped body; gives up soon after `stop` was asked for. In the shipper's thread.
using BulkSender = std::function<BulkReply(const std::string& body, std::stop_token stop)>;
// By libcurl.
BulkSender MakeBulkSender(const api::ShipSettings& settings);

class Shipper {
 public:
  struct Pace {
    std::size_t most = 500;                           // records a batch
    std::size_t bytes = 1 << 20;                      // of them
    std::chrono::milliseconds gather{2'000};          // how long a batch that is not full waits for more
    std::chrono::milliseconds first_pause{500};       // after a failure; doubled with each further one
    std::chrono::milliseconds longest_pause{60'000};  // also of what the other side asks for: ten times this
  };

  // Opens the spool below `folder` and starts the thread. kShipperFailed for settings that cannot be.
  static Result<std::unique_ptr<Shipper>> Start(const std::filesystem::path& folder, const std::string& cluster,
                                                const api::ShipSettings& settings, BulkSender send, Pace pace);
  static Result<std::unique_ptr<Shipper>> Start(const std::filesystem::path& folder, const std::string& cluster,
                                                const api::ShipSettings& settings) {
    return Start(folder, cluster, settings, MakeBulkSender(settings), Pace());
  }
  // Gives an attempt under way a moment; what was not sent stays in the spool.
  ~Shipper();

  // For log::SetSink. Any thread.
  void Take(const log::Record& record);
  api::ShipStatus Status() const;

 private:
  struct State;
  explicit Shipper(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The document of a record (ote-metrics(7)).
Json ShippedDocument(const log::Record& record, const std::string& cluster);

}  // namespace ote::agent
