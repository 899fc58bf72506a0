#include "core/bundle/open.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "core/base/units.h"
#include "core/bundle/zstd.h"
#include "crypto/sealed.h"

namespace ote::bundle {
namespace {

std::uint64_t GetLength(ByteView bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

// Takes the frame's plain bytes apart.
class Plain {
 public:
  Plain(const Header& header, const Bundle::OnManifest& on_manifest, const Bundle::OnPiece& on_piece)
      : header_(header), on_manifest_(on_manifest), on_piece_(on_piece) {}

  Result<void> Take(ByteView bytes) {
    taken_ += bytes.size();
    while (!bytes.empty()) {
      if (!manifest_) {
        OTE_CHECK(TakeManifest(bytes));
      } else {
        OTE_CHECK(TakeItem(bytes));
      }
    }
    return {};
  }
  Result<void> Finish() {
    if (!manifest_ || item_ != manifest_->items.size() || std::cmp_not_equal(taken_, header_.plain_size)) {
      return Fail(ErrorId::kBundleAltered, "the content is smaller than declared");
    }
    return {};
  }

 private:
  Result<void> TakeManifest(ByteView& bytes) {
    const auto want = held_.size() < 4 ? 4 : 4 + length_;
    const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), want - held_.size()));
    held_.insert(held_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(take));
    bytes = bytes.subspan(take);
    if (held_.size() < want) return {};
    if (held_.size() == 4) {
      length_ = GetLength(held_);
      if (length_ > kMostManifest || std::cmp_greater(length_ + 4, header_.plain_size)) {
        return Fail(ErrorId::kBundleLarger, fmt::format("the manifest is said to have {} bytes", length_));
      }
      if (length_ > 0) return {};
    }
    const auto raw = ByteView(held_).subspan(4);
    if (crypto::DigestOf(raw).ToString() != header_.manifest) {
      return Fail(ErrorId::kBundleAltered, "the manifest is not the one of the header");
    }
    OTE_TRY(manifest_, ReadManifest(raw));
    std::uint64_t sum = 4 + length_;
    for (const auto& item : manifest_->items) sum += static_cast<std::uint64_t>(item.size);
    if (std::cmp_not_equal(sum, header_.plain_size)) {
      const bool more = std::cmp_greater(sum, header_.plain_size);
      return Fail(more ? ErrorId::kBundleLarger : ErrorId::kBundleAltered,
                  fmt::format("its artifacts take {} bytes, and {} are declared", sum, header_.plain_size));
    }
    OTE_CHECK(on_manifest_(*manifest_, raw));
    held_ = {};
    return EndEmptyItems();
  }

  Result<void> TakeItem(ByteView& bytes) {
    if (item_ == manifest_->items.size()) return Fail(ErrorId::kBundleLarger, "more follows after the last artifact");
    const auto& item = manifest_->items[item_];
    const auto left = static_cast<std::uint64_t>(item.size) - offset_;
    const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left));
    hasher_.Update(bytes.first(take));
    OTE_CHECK(on_piece_(item, offset_, bytes.first(take)));
    offset_ += take;
    bytes = bytes.subspan(take);
    if (std::cmp_less(offset_, item.size)) return {};
    OTE_CHECK(EndItem());
    return EndEmptyItems();
  }
  Result<void> EndItem() {
    const auto& item = manifest_->items[item_];
    if (hasher_.Finish().ToString() != item.digest) {
      return Fail(ErrorId::kBundleAltered, fmt::format("{}: its bytes have another digest", item.digest));
    }
    hasher_ = crypto::Hasher();
    offset_ = 0;
    ++item_;
    return {};
  }
  Result<void> EndEmptyItems() {
    while (item_ < manifest_->items.size() && manifest_->items[item_].size == 0) {
      OTE_CHECK(on_piece_(manifest_->items[item_], 0, {}));
      OTE_CHECK(EndItem());
    }
    return {};
  }

  const Header& header_;
  const Bundle::OnManifest& on_manifest_;
  const Bundle::OnPiece& on_piece_;
  Bytes held_;
  std::uint64_t length_ = 0;
  std::optional<Manifest> manifest_;
  std::size_t item_ = 0;
  std::uint64_t offset_ = 0;
  std::uint64_t taken_ = 0;
  crypto::Hasher hasher_;
};

// Opens the chunks of a sealed stream that comes in pieces.
class Unsealing {
 public:
  Unsealing(const crypto::TransportKey& key, std::string context, std::uint64_t packed, Sink sink)
      : key_(key), context_(std::move(context)), packed_(packed), sink_(std::move(sink)) {}

  Result<void> Take(ByteView bytes) {
    while (!bytes.empty()) {
      const auto want = static_cast<std::size_t>(Want());
      const auto take = std::min(bytes.size(), want - held_.size());
      held_.insert(held_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(take));
      bytes = bytes.subspan(take);
      if (held_.size() < want) return {};
      OTE_CHECK(Full());
    }
    return {};
  }

 private:
  std::uint64_t Want() const noexcept {
    if (!opener_) return crypto::kSealedHeader;
    return std::min<std::uint64_t>(crypto::kSealedChunk, packed_ - opened_) + crypto::kSealedTag;
  }
  Result<void> Full() {
    if (!opener_) {
      OTE_TRY(auto opener, crypto::Opener::For(key_, AsBytes(context_), held_));
      opener_.emplace(std::move(opener));
      held_.clear();
      return {};
    }
    out_.resize(held_.size() - crypto::kSealedTag);
    const bool last = opened_ + out_.size() == packed_;
    OTE_CHECK(opener_->Open(next_, last, held_, out_));
    ++next_;
    opened_ += out_.size();
    held_.clear();
    return sink_(out_);
  }
  const crypto::TransportKey& key_;
  std::string context_;
  std::uint64_t packed_;
  Sink sink_;
  std::optional<crypto::Opener> opener_;
  std::uint64_t next_ = 0;
  std::uint64_t opened_ = 0;
  Bytes held_;
  Bytes out_;
};

// Ends the reading of a bundle once its manifest is there; never shown.
constexpr ErrorId kEnough = ErrorId::kInterrupted;

std::string Numbers(const std::vector<std::uint64_t>& numbers) {
  constexpr std::size_t kShown = 8;
  std::string out;
  for (std::size_t i = 0; i < std::min(kShown, numbers.size()); ++i) {
    out += fmt::format("{}{}", out.empty() ? "" : ", ", numbers[i] + 1);
  }
  if (numbers.size() > kShown) out += fmt::format(" and {} more", numbers.size() - kShown);
  return out;
}

}  // namespace

std::string SealContext(const Header& header) { return "ote-bundle-v1/" + header.kind; }

Result<Manifest> ReadManifest(ByteView bytes) {
  auto manifest = FromCbor<Manifest>(bytes);
  if (!manifest) return Fail(ErrorId::kBundleAltered, "the manifest of the bundle: " + manifest.error().message);
  if (manifest->items.size() > kMostItems) return Fail(ErrorId::kBundleLarger, "the manifest names too many artifacts");
  for (const auto& item : manifest->items) {
    if (!crypto::Digest::Parse(item.digest)) return Fail(ErrorId::kBundleAltered, "a digest cannot be read");
    if (item.size < 0 || item.size > kLargest) return Fail(ErrorId::kBundleLarger, "a size is out of range");
  }
  return std::move(*manifest);
}

Result<Bundle> Bundle::Open(const std::filesystem::path& path) {
  OTE_TRY(auto input, OpenInput(path));
  auto bundle = Open(std::move(input));
  if (!bundle) {
    Error error = std::move(bundle).error();
    if (error.message.find(path.string()) == std::string::npos) error = std::move(error).Context(path.string());
    return Fail(std::move(error));
  }
  return bundle;
}

Result<Bundle> Bundle::Open(std::unique_ptr<Input> input) {
  Bundle bundle;
  bundle.input_ = std::move(input);
  std::array<std::uint8_t, kPrefix> prefix{};
  OTE_CHECK(bundle.input_->Read(0, prefix));
  if (!std::equal(kMagic.begin(), kMagic.end(), prefix.begin())) {
    return Fail(ErrorId::kBundleNone, "it is not a bundle");
  }
  bundle.header_size_ = GetLength(ByteView(prefix).subspan(kMagic.size()));
  if (bundle.header_size_ > kMostHeader) {
    return Fail(ErrorId::kBundleAltered, fmt::format("its header is said to have {} bytes", bundle.header_size_));
  }
  if (kPrefix + bundle.header_size_ > bundle.input_->Size()) {
    return Fail(ErrorId::kBundleTruncated,
                fmt::format("it breaks off in its header, after {} bytes", bundle.input_->Size()),
                "copy the file again");
  }
  Bytes bytes(static_cast<std::size_t>(bundle.header_size_));
  OTE_CHECK(bundle.input_->Read(kPrefix, bytes));
  auto signed_header = FromCbor<SignedHeader>(bytes);
  if (!signed_header) return Fail(ErrorId::kBundleAltered, "its header is damaged: " + signed_header.error().message);
  bundle.signed_ = std::move(*signed_header);
  OTE_TRY(bundle.checked_, CheckHeader(bundle.signed_));
  return bundle;
}

Result<State> Bundle::Check() {
  State state;
  const auto& header = About();
  const auto content = header.ContentSize();
  state.missing = input_->Missing();
  state.chunks = (content + kChunk - 1) / kChunk;
  state.size = ContentFrom() + content;
  state.good_until = ContentFrom();
  state.broken_off = input_->Size() < state.size;
  state.too_long = input_->Size() > state.size;
  Bytes buffer(kChunk);
  for (std::uint64_t i = 0; i < state.chunks; ++i) {
    const auto piece = std::span(buffer).first(static_cast<std::size_t>(std::min(kChunk, content - i * kChunk)));
    const auto read = input_->Read(ContentFrom() + i * kChunk, piece);
    bool good = read.has_value();
    if (!good) {
      const auto id = read.error().id;
      if (id != ErrorId::kBundlePartMissing && id != ErrorId::kBundleTruncated) return Fail(read.error());
      if (id == ErrorId::kBundleTruncated) state.broken_off = true;
    } else {
      const auto digest = crypto::DigestOf(piece);
      good = std::equal(digest.bytes.begin(), digest.bytes.end(),
                        header.chunks.begin() + static_cast<std::ptrdiff_t>(i * 32));
    }
    if (!good) {
      state.damaged.push_back(i);
    } else if (state.damaged.empty()) {
      state.good_until += piece.size();
    }
  }
  return state;
}

Result<void> Judge(const State& state, const std::filesystem::path& path) {
  if (state.Whole()) return {};
  const std::string name = path.string();
  if (!state.missing.empty()) {
    std::string names;
    for (const auto number : state.missing) names += fmt::format("{}{}", names.empty() ? "" : ", ", number);
    return Fail(ErrorId::kBundlePartMissing, fmt::format("{}: parts that are not here: {}", name, names),
                "put all parts into one folder");
  }
  if (state.broken_off) {
    return Fail(ErrorId::kBundleTruncated,
                fmt::format("{}: it breaks off; the first {} of {} bytes are good", name, state.good_until, state.size),
                fmt::format("truncate -s {} FILE && tail -c +{} ORIGINAL >> FILE goes on with the copy",
                            state.good_until, state.good_until + 1));
  }
  if (state.too_long) {
    return Fail(ErrorId::kBundleLarger, fmt::format("{}: it is larger than the {} bytes declared", name, state.size));
  }
  return Fail(ErrorId::kBundleAltered,
              fmt::format("{}: of its {} chunks, altered: {}", name, state.chunks, Numbers(state.damaged)),
              "copy it again");
}

Result<void> Bundle::Unpack(const crypto::TransportKey* key, const OnManifest& on_manifest, const OnPiece& on_piece) {
  const auto& header = About();
  if (header.Sealed() && (key == nullptr || !std::equal(key->Public().bytes.begin(), key->Public().bytes.end(),
                                                        header.receiver_key.begin(), header.receiver_key.end()))) {
    return Fail(ErrorId::kBundleReceiver, fmt::format("the bundle is sealed for {}, to a key that is not here",
                                                      header.receiver.empty() ? "another" : header.receiver));
  }
  const auto content = header.ContentSize();
  if (input_->Size() > ContentFrom() + content) {
    return Fail(ErrorId::kBundleLarger,
                fmt::format("it is larger than the {} bytes declared", ContentFrom() + content));
  }
  Plain plain(header, on_manifest, on_piece);
  Decompressor decompressor([&](ByteView bytes) { return plain.Take(bytes); },
                            static_cast<std::uint64_t>(header.plain_size));
  const Sink unpack = [&](ByteView bytes) { return decompressor.Take(bytes); };
  std::optional<Unsealing> unsealing;
  if (header.Sealed()) {
    unsealing.emplace(*key, SealContext(header), static_cast<std::uint64_t>(header.packed_size), unpack);
  }
  Bytes buffer(kChunk);
  for (std::uint64_t i = 0; i * kChunk < content; ++i) {
    const auto piece = std::span(buffer).first(static_cast<std::size_t>(std::min(kChunk, content - i * kChunk)));
    OTE_CHECK(input_->Read(ContentFrom() + i * kChunk, piece));
    const auto digest = crypto::DigestOf(piece);
    if (!std::equal(digest.bytes.begin(), digest.bytes.end(),
                    header.chunks.begin() + static_cast<std::ptrdiff_t>(i * 32))) {
      return Fail(ErrorId::kBundleAltered, fmt::format("its chunk {} was altered", i + 1), "copy it again");
    }
    OTE_CHECK(unsealing ? unsealing->Take(piece) : unpack(piece));
  }
  OTE_CHECK(decompressor.Finish());
  return plain.Finish();
}

Result<std::pair<Manifest, Bytes>> Bundle::OpenManifest(const crypto::TransportKey* key) {
  std::pair<Manifest, Bytes> out;
  bool there = false;
  const auto done = Unpack(
      key,
      [&](const Manifest& manifest, ByteView bytes) -> Result<void> {
        out = {manifest, Bytes(bytes.begin(), bytes.end())};
        there = true;
        return Fail(kEnough, "");
      },
      [](const Item&, std::uint64_t, ByteView) -> Result<void> { return {}; });
  if (!there) return Fail(done ? Error{ErrorId::kBundleAltered, "it has no manifest", {}} : done.error());
  return out;
}

}  // namespace ote::bundle
