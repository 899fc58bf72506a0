// Reads bundles. No length that stands in one is trusted: chunks are checked against the signed digests before they are
// opened, and what comes out of them against the signed sizes. Memory: a few chunks, and the manifest.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/bundle/header.h"
#include "core/bundle/manifest.h"
#include "core/bundle/parts.h"

namespace ote::bundle {

// What a bundle is sealed for.
std::string SealContext(const Header& header);

// How the bytes of a bundle were found.
struct State {
  std::vector<std::uint32_t> missing;  // parts
  std::vector<std::uint64_t> damaged;  // chunks, from 0, that are there and have another digest, or are not there
  std::uint64_t chunks = 0;            // of the content
  std::uint64_t good_until = 0;        // the first byte of the whole that is not known to be good
  std::uint64_t size = 0;              // that the whole should have
  bool broken_off = false;             // it ends too early
  bool too_long = false;               // it goes on after its end
  bool Whole() const noexcept { return missing.empty() && damaged.empty() && !broken_off && !too_long; }
};
// What is wrong, as an error; nothing when it is whole. kBundlePartMissing, kBundleTruncated, kBundleLarger,
// kBundleAltered.
Result<void> Judge(const State& state, const std::filesystem::path& path);

class Bundle {
 public:
  // Reads the header, and checks its form and signature (CheckHeader). kBundleNone, kBundleTruncated,
  // kBundlePartMissing.
  static Result<Bundle> Open(const std::filesystem::path& path);
  static Result<Bundle> Open(std::unique_ptr<Input> input);
  Bundle(Bundle&&) noexcept = default;
  Bundle& operator=(Bundle&&) noexcept = default;

  const Header& About() const noexcept { return checked_.header; }
  const std::string& Digest() const noexcept { return checked_.digest; }
  const SignedHeader& Signed() const noexcept { return signed_; }
  const Input& Source() const noexcept { return *input_; }

  // Reads all of it and compares the digests of the chunks. An error only when the medium fails.
  Result<State> Check();

  using OnManifest = std::function<Result<void>(const Manifest& manifest, ByteView bytes)>;
  using OnPiece = std::function<Result<void>(const Item& item, std::uint64_t offset, ByteView piece)>;
  // Opens it with the receiver's key; `key` may be null when it is not sealed. The manifest comes first: with an error
  // nothing follows. Then each artifact, piece by piece; it has its digest when the last piece of it was given out and
  // Unpack has not failed. kBundleReceiver when it is sealed to another key.
  Result<void> Unpack(const crypto::TransportKey* key, const OnManifest& on_manifest, const OnPiece& on_piece);
  // The manifest alone.
  Result<std::pair<Manifest, Bytes>> OpenManifest(const crypto::TransportKey* key);

 private:
  Bundle() = default;
  std::uint64_t ContentFrom() const noexcept { return header_size_ + kPrefix; }

  std::unique_ptr<Input> input_;
  std::uint64_t header_size_ = 0;
  SignedHeader signed_;
  Checked checked_;
};

}  // namespace ote::bundle
