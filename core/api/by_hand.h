// The bodies of the verbs about members that are reached by files, ote-bundle(5). A bundle is told by its signed header
// and its manifest; what both say is checked again by the agent, whoever asks.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/api/requests.h"

namespace ote::api {

// The header and the manifest of a bundle, as they stand in it.
struct CarriedFile {
  Bytes body;
  Bytes signature;
  Bytes manifest;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("body", self.body, kRequired);
    v("signature", self.signature, kRequired);
    v("manifest", self.manifest, kRequired);
  }
};

struct ApproveRequest {
  CarriedFile request;
  Labels labels;  // beside those that the request asks for
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("request", self.request, kRequired);
    v("labels", self.labels);
  }
};
// What the grant is made of.
struct ApproveReply {
  Cluster cluster;
  crypto::Certificate certificate;  // of the member
  TreeSettings settings;
  std::optional<crypto::RevocationList> revocations;
  std::int64_t sequence = 0;
  UnixMillis created = 0;
  bool already = false;  // the same request was approved before

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("cluster", self.cluster, kRequired);
    v("certificate", self.certificate, kRequired);
    v("settings", self.settings);
    v("revocations", self.revocations);
    v("sequence", self.sequence, kRequired);
    v("created", self.created, kRequired);
    v("already", self.already);
  }
};

}  // namespace ote::api
