// What clusters tell of themselves on its way up: numbered changes, and digests that show whether all of them arrived.
#pragma once

#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/codec.h"

namespace ote::api {

// Its value is CBOR, which those on the way pass on as it is.
struct StateThing {
  std::string kind;
  std::string name;
  std::int64_t seq = 0;  // of the source's last change to it
  Bytes value;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("kind", self.kind, kRequired);
    v("name", self.name, kRequired);
    v("seq", self.seq, kRequired);
    v("value", self.value, kRequired);
  }
};
struct StateGone {
  std::string kind;
  std::string name;
  std::int64_t seq = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("kind", self.kind, kRequired);
    v("name", self.name, kRequired);
    v("seq", self.seq, kRequired);
  }
};

// Of one cluster, the source: what became of its things after number `from`, up to `to`. With from = to and nothing
// else it only says where the source is.
struct SourceReport {
  std::string cluster;
  BigId epoch;  // another one: the numbers began anew
  std::int64_t from = 0;
  std::int64_t to = 0;
  bool full = false;  // a piece of a whole one, which begins with from = 0 and takes the place of what was known
  std::vector<StateThing> set;
  std::vector<StateGone> removed;
  Bytes digest;              // of all things as they are at `to`; empty when more pieces follow
  std::int64_t dropped = 0;  // events that were forgotten to make room, ever

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("epoch", self.epoch, kRequired);
    v("from", self.from, kRequired);
    v("to", self.to, kRequired);
    v("full", self.full);
    v("set", self.set);
    v("removed", self.removed);
    v("digest", self.digest);
    v("dropped", self.dropped);
  }
};
struct StateReport {
  std::vector<SourceReport> sources;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("sources", self.sources, kRequired);
  }
};

// What the parent has of a source now.
struct SourceAck {
  std::string cluster;
  BigId epoch;
  std::int64_t have = 0;   // up to which number; of a whole report that is under way: of that one
  bool want_full = false;  // it does not fit together: all of it, please
  bool refused = false;    // the source is not below the one that reports it

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("epoch", self.epoch);
    v("have", self.have);
    v("wantFull", self.want_full);
    v("refused", self.refused);
  }
};
struct StateAck {
  std::vector<SourceAck> sources;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("sources", self.sources, kRequired);
  }
};

}  // namespace ote::api
