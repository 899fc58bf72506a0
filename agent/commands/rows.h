// What is kept on disk about commands.
#pragma once

#include <string>

#include "core/api/command.h"

namespace ote::agent {

// An order that was issued here. Its outcomes are rows of their own, so that one that changes is one small write.
struct OrderRow {
  static constexpr std::string_view kKind = "command";
  std::int64_t number = 0;  // in the order of issuing
  api::Command command;
  std::string request_id;
  Bytes content;  // digest of what was ordered, to know the same request again
  bool late = false;
  std::string selector;

  std::string Key() const { return command.id; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("number", self.number, kRequired);
    v("command", self.command, kRequired);
    v("requestId", self.request_id);
    v("content", self.content);
    v("late", self.late);
    v("selector", self.selector);
  }
};

// What became of an order at one cluster, as its issuer knows it.
struct OutcomeRow {
  static constexpr std::string_view kKind = "command-outcome";
  api::CommandOutcome outcome;

  std::string Key() const { return outcome.id + "/" + outcome.cluster; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("outcome", self.outcome, kRequired);
  }
};

// A command that was taken to be executed here.
struct TakenRow {
  static constexpr std::string_view kKind = "command-taken";
  api::Command command;  // without its body once it is over
  api::CommandOutcome outcome;
  UnixMillis taken_at = 0;
  UnixMillis deadline = 0;  // by the clock of this agent; 0 for none
  bool told = false;        // its issuer has the outcome

  std::string Key() const { return command.issuer + "/" + command.id; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("command", self.command, kRequired);
    v("outcome", self.outcome, kRequired);
    v("takenAt", self.taken_at);
    v("deadline", self.deadline);
    v("told", self.told);
  }
};

}  // namespace ote::agent
