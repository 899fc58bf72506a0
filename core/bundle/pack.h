// Makes bundles. Streamed twice: once to learn the sizes and the digest of what is to be sealed, once to seal and write
// it. So the free space is known to be enough before anything is written, and the same content, packed with the same
// keys, has the same bytes. Memory: a few chunks, whatever the size.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/bundle/header.h"
#include "core/bundle/manifest.h"
#include "crypto/keys.h"

namespace ote::bundle {

struct Content {
  Item item;
  // Fills `out` from `offset`; called in ascending order, from the beginning twice.
  std::function<Result<void>(std::uint64_t offset, std::span<std::uint8_t> out)> read;
};
// Of bytes that are in memory, and outlive it.
Content ContentOf(ByteView bytes);

struct Package {
  Header header;  // all but sizes, digests and the key of the signer, which are filled in
  Json body = Json::object();
  std::vector<Content> contents;
};

struct Place {
  std::filesystem::path path;
  std::uint64_t split = 0;  // 0 for one file
  bool force = false;
};

struct Packed {
  std::string digest;  // of the bundle
  std::uint64_t size = 0;
  std::vector<std::filesystem::path> files;
  bool already = false;  // the very same was there
};

// `before` is called when the bundle is whole on disk and not yet in its place: with an error, nothing is left of it.
// It is sealed to header.receiver_key, when there is one. kNoSpace, kConflict, what reading the contents gives.
Result<Packed> Pack(const Package& package, const crypto::SigningKey& sign, const Place& place,
                    const std::function<Result<void>(const std::string& digest)>& before = {});

}  // namespace ote::bundle
