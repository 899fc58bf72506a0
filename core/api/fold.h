// What a root asks of a relay that adds up the updates of its subtree, masked or not, and what it answers.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/compression.h"
#include "core/api/sealing.h"
#include "core/base/bytes.h"
#include "core/base/codec.h"

namespace ote::api {

// An update to add, as its site offered it.
struct FoldItem {
  std::string site;
  SealedCopy copy;
  std::string digest;       // of the update itself
  std::int64_t weight = 0;  // 1 of a masked one
  Bytes key;                // opens this one copy and nothing else

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("site", self.site, kRequired);
    v("copy", self.copy, kRequired);
    v("digest", self.digest, kRequired);
    v("weight", self.weight, kRequired);
    v("key", self.key, kRequired);
  }
};

struct FoldWork {
  std::string run;
  std::int64_t round = 0;
  std::int64_t count = 0;  // values in each update
  std::int64_t exponent = 0;
  std::int64_t capacity = 0;  // of the grid; both 0 for masked updates
  Bytes answer_key;           // X25519, 32 bytes: to which the sum is sealed, the run's when the root asks
  std::vector<FoldItem> items;
  std::int64_t time_ms = 0;  // what has not arrived by then is left out; 0 for as long as the relay thinks right
  bool masked = false;       // words modulo 2^32, which nobody can read that has no seeds to them
  std::int64_t size = 0;     // bytes of each update
  std::int64_t vectors = 1;  // that an update holds side by side
  std::optional<CompressionSpec> compression = {};  // of the updates; not there for none

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("round", self.round, kRequired);
    v("count", self.count, kRequired);
    v("exponent", self.exponent, kRequired);
    v("capacity", self.capacity, kRequired);
    v("answerKey", self.answer_key, kRequired);
    v("items", self.items, kRequired);
    v("timeMs", self.time_ms);
    v("masked", self.masked);
    v("size", self.size, kRequired);
    v("vectors", self.vectors);
    v("compression", self.compression);
  }
};

// Something to fold, a sum that is no longer needed, or the question how far a relay is with what it was given.
struct FoldRequest {
  std::string run;
  std::int64_t round = 0;
  Bytes work;        // FoldWork as CBOR, sealed to the relay's certified transport key
  std::string done;  // the sealed sum that may go
  bool ask = false;  // how far it is with the run and round

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("round", self.round, kRequired);
    v("work", self.work);
    v("done", self.done);
    v("ask", self.ask);
  }
};

struct FoldFailure {
  std::string site;
  std::int64_t code = 0;
  std::string message;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("site", self.site, kRequired);
    v("code", self.code, kRequired);
    v("message", self.message);
  }
};

struct FoldReply {
  std::vector<std::string> folded;
  std::vector<FoldFailure> failed;
  std::string digest;  // of the sum itself; "" when nothing was folded
  std::int64_t size = 0;
  SealedCopy sum;
  std::optional<std::int64_t> progress;  // to `ask` alone: grows as long as it gets on, by the bytes that it took in

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("folded", self.folded);
    v("failed", self.failed);
    v("digest", self.digest);
    v("size", self.size);
    v("sum", self.sum);
    v("progress", self.progress);
  }
};

}  // namespace ote::api
