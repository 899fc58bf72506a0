#include "core/bundle/pack.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/bundle/open.h"
#include "core/bundle/parts.h"
#include "core/bundle/zstd.h"
#include "crypto/sealed.h"
#include "crypto/secret.h"

namespace ote::bundle {
namespace {

constexpr std::size_t kRead = 256 << 10;

void PutLength(Bytes& out, std::uint64_t value) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

// The frame, to `sink`. Each artifact must be what its digest says: it was chosen by that.
Result<void> Compress(ByteView manifest, const std::vector<Content>& contents, const Sink& sink) {
  Compressor compressor(sink);
  Bytes length;
  PutLength(length, manifest.size());
  OTE_CHECK(compressor.Take(length));
  OTE_CHECK(compressor.Take(manifest));
  Bytes buffer(kRead);
  for (const auto& content : contents) {
    crypto::Hasher hasher;
    const auto size = static_cast<std::uint64_t>(content.item.size);
    for (std::uint64_t at = 0; at < size;) {
      const auto piece = std::span(buffer).first(static_cast<std::size_t>(std::min<std::uint64_t>(kRead, size - at)));
      OTE_CHECK(content.read(at, piece));
      hasher.Update(piece);
      OTE_CHECK(compressor.Take(piece));
      at += piece.size();
    }
    if (hasher.Finish().ToString() != content.item.digest) {
      return Fail(ErrorId::kArtifactCorrupt, fmt::format("{}: what was read has another digest", content.item.digest));
    }
  }
  return compressor.Finish();
}

// Cuts what it is given into the chunks of a sealed stream.
class Sealing {
 public:
  Sealing(crypto::Sealer sealer, std::uint64_t packed, Sink sink)
      : sealer_(std::move(sealer)), left_(packed), sink_(std::move(sink)) {
    out_.resize(crypto::kSealedChunk + crypto::kSealedTag);
  }
  Result<void> Begin() { return sink_(sealer_.Header()); }
  Result<void> Take(ByteView bytes) {
    if (bytes.size() > left_) return Fail(Changed());
    while (!bytes.empty()) {
      const auto take = std::min(bytes.size(), crypto::kSealedChunk - held_.size());
      held_.insert(held_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(take));
      bytes = bytes.subspan(take);
      left_ -= take;
      if (held_.size() == crypto::kSealedChunk && left_ > 0) OTE_CHECK(Seal(false));
    }
    return {};
  }
  Result<void> Finish() { return left_ == 0 ? Seal(true) : Fail(Changed()); }
  static Error Changed() { return {ErrorId::kArtifactCorrupt, "what is packed changed meanwhile", {}}; }

 private:
  Result<void> Seal(bool last) {
    const auto out = std::span(out_).first(held_.size() + crypto::kSealedTag);
    sealer_.Next(held_, last, out);
    held_.clear();
    return sink_(out);
  }
  crypto::Sealer sealer_;
  std::uint64_t left_;
  Sink sink_;
  Bytes held_;
  Bytes out_;
};

// Writes the content behind the header, and makes the digests of its chunks.
class ChunkWriter {
 public:
  ChunkWriter(Output& output, std::uint64_t from) : output_(output), at_(from) {}
  Result<void> Take(ByteView bytes) {
    OTE_CHECK(output_.Write(at_, bytes));
    at_ += bytes.size();
    while (!bytes.empty()) {
      const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), kChunk - filled_));
      hasher_.Update(bytes.first(take));
      bytes = bytes.subspan(take);
      filled_ += take;
      if (filled_ == kChunk) End();
    }
    return {};
  }
  Bytes Finish() {
    if (filled_ > 0) End();
    return std::move(digests_);
  }

 private:
  void End() {
    const auto digest = hasher_.Finish();
    digests_.insert(digests_.end(), digest.bytes.begin(), digest.bytes.end());
    hasher_ = crypto::Hasher();
    filled_ = 0;
  }
  Output& output_;
  std::uint64_t at_;
  crypto::Hasher hasher_;
  std::uint64_t filled_ = 0;
  Bytes digests_;
};

Bytes MakeManifest(const Package& package, const crypto::SigningKey& sign) {
  Manifest manifest;
  manifest.body = package.body;
  for (const auto& content : package.contents) manifest.items.push_back(content.item);
  // The same each time, and known to nobody else.
  const auto key = crypto::DeriveKey(sign.Seed(), "ote-bundle-salt");
  const auto salt = crypto::Mac(key.View(), ToCbor(manifest));
  manifest.salt.assign(salt.begin(), salt.begin() + 16);
  return ToCbor(manifest);
}

Bytes Encode(const SignedHeader& header) {
  const Bytes body = ToCbor(header);
  Bytes out(kMagic.begin(), kMagic.end());
  PutLength(out, body.size());
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

// Whether the bundle at `path` is this one, whole.
bool IsThere(const std::filesystem::path& path, const std::string& digest) {
  auto there = Bundle::Open(path);
  if (!there || there->Digest() != digest) return false;
  const auto checked = there->Check();
  return checked && checked->Whole();
}

}  // namespace

Content ContentOf(ByteView bytes) {
  return {{crypto::DigestOf(bytes).ToString(), static_cast<std::int64_t>(bytes.size())},
          [bytes](std::uint64_t offset, std::span<std::uint8_t> out) -> Result<void> {
            std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
            return {};
          }};
}

Result<Packed> Pack(const Package& package, const crypto::SigningKey& sign, const Place& place,
                    const std::function<Result<void>(const std::string& digest)>& before) {
  Header header = package.header;
  header.sign_key.assign(sign.Public().bytes.begin(), sign.Public().bytes.end());
  const Bytes manifest = MakeManifest(package, sign);
  if (manifest.size() > kMostManifest) return Fail(ErrorId::kUnsupported, "the manifest of the bundle is too large");
  header.manifest = crypto::DigestOf(manifest).ToString();
  header.plain_size = static_cast<std::int64_t>(4 + manifest.size());
  for (const auto& content : package.contents) header.plain_size += content.item.size;

  crypto::Hasher hasher;
  std::uint64_t packed = 0;
  OTE_CHECK(Compress(manifest, package.contents, [&](ByteView bytes) -> Result<void> {
    hasher.Update(bytes);
    packed += bytes.size();
    return {};
  }));
  const auto digest = hasher.Finish();
  header.packed_size = static_cast<std::int64_t>(packed);
  // Every digest takes the same room, whatever it is.
  const auto content_size = header.ContentSize();
  header.chunks.assign((content_size + kChunk - 1) / kChunk * 32, 0);
  const auto header_size = Encode(Sign(sign, header)).size();
  if (header_size - kPrefix > kMostHeader) return Fail(ErrorId::kUnsupported, "the bundle is too large");

  const auto write = [&](Output* output) -> Result<Bytes> {
    // Without an output only the digests are made.
    crypto::Hasher again;
    std::optional<ChunkWriter> chunks;
    if (output != nullptr) chunks.emplace(*output, header_size);
    const Sink to_file = [&](ByteView bytes) { return chunks->Take(bytes); };
    if (!header.Sealed()) {
      OTE_CHECK(Compress(manifest, package.contents, to_file));
      return chunks->Finish();
    }
    crypto::TransportPublic receiver;
    if (header.receiver_key.size() != receiver.bytes.size()) return Fail(ErrorId::kMalformed, "no receiver's key");
    std::copy(header.receiver_key.begin(), header.receiver_key.end(), receiver.bytes.begin());
    const auto secret = crypto::DeriveKey(sign.Seed(), "ote-bundle-seal");
    OTE_TRY(auto sealer, crypto::Sealer::Repeatable(receiver, AsBytes(SealContext(header)), secret.View(), digest));
    Sealing sealing(std::move(sealer), packed, to_file);
    OTE_CHECK(sealing.Begin());
    OTE_CHECK(Compress(manifest, package.contents, [&](ByteView bytes) {
      again.Update(bytes);
      return sealing.Take(bytes);
    }));
    if (again.Finish() != digest) return Fail(Sealing::Changed());
    OTE_CHECK(sealing.Finish());
    return chunks->Finish();
  };

  Bytes which(digest.bytes.begin(), digest.bytes.begin() + 8);
  const auto about = crypto::DigestOf(ToCbor(header));
  which.insert(which.end(), about.bytes.begin(), about.bytes.begin() + 8);
  // What is there already may be the very same; that shows when this one is made, beside it.
  OTE_TRY(auto output, Output::Begin(place.path, header_size + content_size, place.split, which));
  OTE_TRY(header.chunks, write(&output));
  const auto signed_header = Sign(sign, header);
  const Bytes encoded = Encode(signed_header);
  if (encoded.size() != header_size) return Fail(ErrorId::kInternal, "a bundle's header changed its size");
  OTE_CHECK(output.Write(0, encoded));

  Packed out;
  out.digest = crypto::DigestOf(signed_header.body).ToString();
  out.size = header_size + content_size;
  if (IsThere(place.path, out.digest)) {
    out.already = true;
    if (before) OTE_CHECK(before(out.digest));
    out.files = {place.path};
    return out;
  }
  if (const auto there = output.Occupied(); there && !place.force) {
    return Fail(ErrorId::kConflict, fmt::format("{}: is there already, and different", there->string()),
                "choose another name, or give --force");
  }
  if (before) OTE_CHECK(before(out.digest));
  OTE_TRY(out.files, output.Place());
  return out;
}

}  // namespace ote::bundle
