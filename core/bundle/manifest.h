// What is in the frame of a bundle: the manifest, and the artifacts that it names.
//
//   length of the manifest, 4 bytes, little-endian | manifest, CBOR | artifacts, in its order
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/codec.h"

namespace ote::bundle {

inline constexpr std::uint64_t kMostManifest = 32 << 20;
inline constexpr std::size_t kMostItems = 4096;

struct Item {
  std::string digest;
  std::int64_t size = 0;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("digest", self.digest, kRequired);
    v("size", self.size, kRequired);
  }
};

struct Manifest {
  Bytes salt;  // the header has the digest of the manifest, and nobody shall find out by it what is in there
  Json body = Json::object();  // by the kind, bodies.h
  std::vector<Item> items;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("salt", self.salt, kRequired);
    v("body", self.body, kRequired);
    v("items", self.items);
  }
};

// kBundleAltered.
Result<Manifest> ReadManifest(ByteView bytes);

}  // namespace ote::bundle
