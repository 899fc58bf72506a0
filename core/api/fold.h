// What a root asks of a relay that adds up the updates of its subtree, and what it answers.
#pragma once

#include <string>
#include <vector>

#include "core/api/sealing.h"
#include "core/base/bytes.h"
#include "core/base/codec.h"

namespace ote::api {

// An update to add, as its site offered it.
struct FoldItem {
  std::string site;
  SealedCopy copy;
  std::string digest;  // of the update itself
  std::int64_t weight = 0;
  Bytes key;  // opens this one copy and nothing else

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
  std::int64_t capacity = 0;  // of the grid
  Bytes answer_key;           // X25519, 32 bytes: the run's, to which the sum is sealed
  std::vector<FoldItem> items;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("round", self.round, kRequired);
    v("count", self.count, kRequired);
    v("exponent", self.exponent, kRequired);
    v("capacity", self.capacity, kRequired);
    v("answerKey", self.answer_key, kRequired);
    v("items", self.items, kRequired);
  }
};

// Something to fold, or a sum that is no longer needed.
struct FoldRequest {
  std::string run;
  std::int64_t round = 0;
  Bytes work;        // FoldWork as CBOR, sealed to the relay's certified transport key
  std::string done;  // the sealed sum that may go

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("round", self.round, kRequired);
    v("work", self.work);
    v("done", self.done);
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

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("folded", self.folded);
    v("failed", self.failed);
    v("digest", self.digest);
    v("size", self.size);
    v("sum", self.sum);
  }
};

}  // namespace ote::api
