// What is asked about commands, and what is kept of them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/api/command.h"

namespace ote::api {

struct CommandQuery {
  std::string id;       // that one only; "" for all
  std::string cluster;  // those for that cluster only; "" for all
  std::int64_t limit = 100;
  std::int64_t outcomes = 0;  // with an id: at most so many outcomes; 0 for all, in one answer
  std::string after;          // of clusters whose names come after it: `next` of the page before

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("id", self.id);
    v("cluster", self.cluster);
    v("limit", self.limit);
    v("outcomes", self.outcomes);
    v("after", self.after);
  }
};

// One command as the agent that is asked knows it: issued there, or executed there for one above.
struct CommandView {
  std::string id;
  std::string issuer;
  std::string verb;
  std::string by;
  UnixMillis issued_at = 0;
  UnixMillis deadline = 0;
  std::string selector;                        // of those that get it when they join late; "" for none
  std::map<std::string, std::int64_t> phases;  // how many clusters are in each
  std::vector<CommandOutcome> outcomes;        // by cluster; left out when all commands are asked for

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("id", self.id, kRequired);
    v("issuer", self.issuer, kRequired);
    v("verb", self.verb, kRequired);
    v("by", self.by);
    v("issuedAt", self.issued_at);
    v("deadline", self.deadline);
    v("selector", self.selector);
    v("phases", self.phases);
    v("outcomes", self.outcomes);
  }
};
struct CommandList {
  std::vector<CommandView> items;   // the newest first
  std::int64_t more = 0;            // that the limit left out
  std::int64_t refused = 0;         // since the agent started: not taken because too many waited
  std::int64_t forgotten = 0;       // since the agent started: over, and forgotten to make room
  std::optional<std::string> next;  // to ask with for more outcomes of the command that was asked for

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("items", self.items);
    v("more", self.more);
    v("refused", self.refused);
    v("forgotten", self.forgotten);
    v("next", self.next);
  }
};

}  // namespace ote::api
