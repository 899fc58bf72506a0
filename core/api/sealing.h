// What goes with a task and its answer so that nobody on the way can read what they are about: the names of sealed
// copies, and the keys to them, each wrapped for the one who is to have it.
#pragma once

#include <string>

#include "core/base/bytes.h"
#include "core/base/codec.h"

namespace ote::api {

// An artifact as it travels: the sealed stream of another, plain one (crypto/sealed.h). "" for none.
struct SealedCopy {
  std::string digest;
  std::int64_t size = 0;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("digest", self.digest);
    v("size", self.size);
  }
  friend bool operator==(const SealedCopy&, const SealedCopy&) = default;
};

// A sealed copy that many may open, and its key, sealed to one of them.
struct LockedCopy {
  SealedCopy copy;
  Bytes key;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("copy", self.copy);
    v("key", self.key);
  }
  friend bool operator==(const LockedCopy&, const LockedCopy&) = default;
};

// What a site needs of seals to do one task.
struct TaskSeals {
  Bytes answer_key;    // X25519, 32 bytes: the run's; the update and the answer are sealed to it
  LockedCopy model;    // of task.model_digest
  LockedCopy control;  // of task.local.control_digest

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("answerKey", self.answer_key, kRequired);
    v("model", self.model);
    v("control", self.control);
  }
  friend bool operator==(const TaskSeals&, const TaskSeals&) = default;
};

}  // namespace ote::api
