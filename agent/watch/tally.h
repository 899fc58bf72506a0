// What is counted as it happens: answers to requests, rounds of runs. One thread, the agent's.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include "agent/watch/families.h"
#include "core/base/clock.h"
#include "core/base/result.h"

namespace ote::agent {

class Tally {
 public:
  // A request was answered, or refused with `error`. `verb` must be one that is registered here: what a stranger makes
  // up would be a series each.
  void Answered(std::string_view verb, const ErrorId* error, std::chrono::milliseconds took);
  // An event of a run's history (api::RunEvent::kind).
  void Happened(const std::string& run, std::string_view kind, UnixMillis at);

  void AddTo(Families& out) const;

 private:
  struct Verb {
    std::uint64_t ok = 0;
    std::uint64_t refused = 0;  // trust, permission, usage: the caller's doing
    std::uint64_t failed = 0;
    Spread seconds;
  };
  std::map<std::string, Verb, std::less<>> verbs_;
  std::map<std::string, UnixMillis> round_began_;  // by run
  Spread rounds_;
  std::uint64_t updates_ = 0;
};

}  // namespace ote::agent
