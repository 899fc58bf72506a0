// Fetches for the children what the tiers above have, once for all of them, so that the traffic of each tier grows with
// its children and not with the leaves. What is fetched is kept for a while: who asks for a digest has been told it,
// and what travels here is sealed, or public to those who run it. One thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/context.h"
#include "agent/transfer.h"
#include "agent/uplink.h"

namespace ote::agent {

class Carrier {
 public:
  static constexpr std::chrono::milliseconds kHold{15'000};   // of a request, until it is told to ask again
  static constexpr std::chrono::milliseconds kKeep{600'000};  // of what nobody asks for
  static constexpr std::size_t kMostWaiting = 4096;

  // `needed`: whether somebody else here needs a digest.
  Carrier(Context& context, Uplink& uplink, Transfer& transfer, std::function<bool(const std::string&)> needed)
      : context_(context), uplink_(uplink), transfer_(transfer), needed_(std::move(needed)) {}
  ~Carrier();

  // Shows itself to the transfer.
  void Start();

 private:
  struct Carried {
    std::chrono::milliseconds used{0};
    bool ours = false;  // fetched here, to be removed here
    bool here = false;
    bool under_way = false;
    std::vector<std::pair<std::uint64_t, Request>> waiting;
  };
  void Ask(Request request, const std::string& digest);
  void Fetch(const std::string& digest);
  void Arrived(const std::string& digest, const Result<void>& result);
  void Sweep();

  Context& context_;
  Uplink& uplink_;
  Transfer& transfer_;
  std::function<bool(const std::string&)> needed_;
  std::map<std::string, Carried> carried_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::uint64_t next_ = 1;
  std::size_t waiting_ = 0;
  Timers::Id sweep_ = 0;
};

}  // namespace ote::agent
