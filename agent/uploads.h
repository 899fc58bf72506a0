// Takes artifacts from the command line, piece by piece: serves artifact.put.
//
// A piece is on disk before it is answered, and the artifact in its place only when it is whole and has its digest. An
// upload that was cut off goes on where it was. One thread.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "agent/context.h"
#include "agent/transfer.h"
#include "core/api/requests.h"

namespace ote::agent {

class Uploads {
 public:
  static constexpr std::int64_t kLargest = std::int64_t{1} << 36;
  static constexpr std::size_t kMostOpen = 4;
  static constexpr std::chrono::milliseconds kKeepOpen{30'000};

  Uploads(Context& context, Transfer& transfer) : context_(context), transfer_(transfer) {}
  ~Uploads() { context_.timers.Cancel(sweep_); }
  Uploads(const Uploads&) = delete;
  Uploads& operator=(const Uploads&) = delete;

  // Registers artifact.put.
  Result<void> Start();

 private:
  struct Open {
    store::Partial partial;
    std::chrono::milliseconds used{0};
  };
  Result<api::ArtifactChunk> Put(const api::ArtifactPut& put, ByteView piece);
  Result<Open*> OpenFor(const api::ArtifactPut& put);
  void CloseIdle();

  Context& context_;
  Transfer& transfer_;
  std::map<std::string, Open> open_;  // by digest
  Timers::Id sweep_ = 0;
};

}  // namespace ote::agent
