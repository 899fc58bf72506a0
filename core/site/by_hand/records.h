// What a site that is reached by files keeps of those that it made.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "core/api/cluster.h"
#include "core/base/codec.h"
#include "core/bundle/bodies.h"
#include "core/store/store.h"

namespace ote::site {

// The number of what this cluster sent last by a file, whatever the stream.
struct HandNumber {
  static constexpr std::string_view kKind = "hand-number";
  std::int64_t sent = 0;

  std::string Key() const { return "own"; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("sent", self.sent, kRequired);
  }
};

// An answer to a task that was carried here, with all that its bundle is made of: asked for again, it has the same
// bytes.
struct HandAnswer {
  static constexpr std::string_view kKind = "hand-answer";
  bundle::Header header;  // before it was packed
  bundle::UpdateBody body;
  bool received = false;  // the root's receipt is here

  std::string Key() const { return AnswerKey(header.run, header.round, header.step); }
  static std::string AnswerKey(const std::string& run, std::int64_t round, const std::string& step) {
    return run + "/" + std::to_string(round) + "/" + step;
  }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("header", self.header, kRequired);
    v("body", self.body, kRequired);
    v("received", self.received);
  }
};
// Artifacts of answers that may still have to be packed.
std::set<std::string> AnswersNeeded(store::Store& store);

// The request that was written last. Before the grant, this is all that tells the name of the cluster.
struct HandRequest {
  static constexpr std::string_view kKind = "hand-request";
  static constexpr std::size_t kMostAsked = 16;
  std::string name;
  api::Labels labels;
  std::string body;  // digest of what it says
  std::int64_t sequence = 0;
  UnixMillis created = 0;
  std::vector<std::string> asked;  // digests of the requests that were written, the newest last

  std::string Key() const { return "own"; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("labels", self.labels);
    v("body", self.body, kRequired);
    v("sequence", self.sequence, kRequired);
    v("created", self.created, kRequired);
    v("asked", self.asked);
  }
};

// A change of keys that the root has not granted yet: the request in which the keys hand over to the next ones.
struct HandRotation {
  static constexpr std::string_view kKind = "hand-rotation";
  api::RotateRequest rotate;
  std::string body;  // digest of what the bundle says
  std::int64_t sequence = 0;
  UnixMillis created = 0;

  std::string Key() const { return "own"; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("rotate", self.rotate, kRequired);
    v("body", self.body, kRequired);
    v("sequence", self.sequence, kRequired);
    v("created", self.created);
  }
};

}  // namespace ote::site
