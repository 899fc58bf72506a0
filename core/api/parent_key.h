// A parent changes its transport key, which its children pin.
#pragma once

#include <string>
#include <vector>

#include "core/api/trust.h"
#include "core/base/codec.h"
#include "crypto/certificate.h"

namespace ote::api {

// The certificate of a parent for the transport key that it will have next, or has had since. Told to its children
// while they still know it by the present one, and by the root to those that ask; the answer says that it is on disk.
struct ParentKey {
  crypto::Certificate certificate;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("certificate", self.certificate, kRequired);
  }
};

struct TransportRotateRequest {
  bool now = false;  // without those that do not know the next key yet
  std::string request_id;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("now", self.now);
    v("requestId", self.request_id);
  }
};
struct TransportRotated {
  std::vector<KeyInfo> items;
  bool already = false;               // by the same request, before
  std::vector<std::string> left_out;  // children that were not heard to know the key

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("items", self.items);
    v("already", self.already);
    v("leftOut", self.left_out);
  }
};

}  // namespace ote::api
