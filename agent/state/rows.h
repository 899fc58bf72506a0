// What is kept on disk of the state of clusters.
#pragma once

#include <string>

#include "core/base/clock.h"
#include "core/base/codec.h"

namespace ote::agent {

// Where one source is.
struct SourceRow {
  static constexpr std::string_view kKind = "state-source";
  std::string cluster;
  BigId epoch;
  std::int64_t at = 0;
  std::int64_t floor = 0;
  std::string via;  // the child that reports it; "" for this cluster
  UnixMillis fresh_at = 0;
  std::int64_t dropped = 0;

  std::string Key() const { return cluster; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("epoch", self.epoch, kRequired);
    v("at", self.at, kRequired);
    v("floor", self.floor);
    v("via", self.via);
    v("freshAt", self.fresh_at);
    v("dropped", self.dropped);
  }
};

// One of its things, or a grave.
struct ThingRow {
  static constexpr std::string_view kKind = "state-thing";
  std::string cluster;
  std::string kind;
  std::string name;
  std::int64_t seq = 0;
  bool gone = false;
  Bytes value;

  std::string Key() const { return cluster + "\n" + kind + "\n" + name; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("kind", self.kind, kRequired);
    v("name", self.name, kRequired);
    v("seq", self.seq, kRequired);
    v("gone", self.gone);
    v("value", self.value);
  }
};

}  // namespace ote::agent
