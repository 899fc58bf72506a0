#include "core/wire/bulk_frame.h"

#include <algorithm>

#include "core/wire/envelope.h"

namespace ote::wire {
namespace {

using crypto::kSessionTag;

// Read and checked in one go, so that what was read is still in the processor's cache.
constexpr std::size_t kAtOnce = 256 << 10;
constexpr std::size_t kSlab = (1 << 20) + (64 << 10);  // what most blobs need; larger ones are not kept
constexpr std::size_t kSlabs = 4;

void Put32(std::uint8_t* at, std::size_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<std::uint8_t>(value >> (8 * i));
}
std::size_t Get32(const std::uint8_t* at) {
  std::size_t value = 0;
  for (int i = 0; i < 4; ++i) value |= static_cast<std::size_t>(at[i]) << (8 * i);
  return value;
}

}  // namespace

std::pair<std::span<std::uint8_t>, std::shared_ptr<const void>> BlobPool::Take(std::size_t size) {
  Slab slab;
  {
    const std::lock_guard guard(mutex_);
    if (size <= kSlab && !free_.empty()) {
      slab = std::move(free_.back());
      free_.pop_back();
    }
  }
  if (!slab.bytes) {
    slab.size = std::max(size, kSlab);
    slab.bytes.reset(new std::uint8_t[slab.size]);  // not zeroed: it is written over
  }
  const std::span<std::uint8_t> span(slab.bytes.get(), size);
  auto* held = new Slab(std::move(slab));
  return {span, std::shared_ptr<const void>(held, [pool = weak_from_this()](const void* given) {
            const std::unique_ptr<Slab> back(static_cast<Slab*>(const_cast<void*>(given)));
            if (const auto alive = pool.lock()) alive->GiveBack(std::move(*back));
          })};
}

void BlobPool::GiveBack(Slab slab) {
  const std::lock_guard guard(mutex_);
  if (slab.size == kSlab && free_.size() < kSlabs) free_.push_back(std::move(slab));
}

void BlobPool::Trim() {
  const std::lock_guard guard(mutex_);
  free_.clear();
}

Result<BulkFrame> MakeBulkFrame(crypto::SessionSealer& sealer, BulkKind kind, ByteView head, const Blob& blob,
                                BlobPool& pool) {
  BulkFrame frame;
  frame.lead.resize(kBulkLead + head.size() + kSessionTag);
  const std::span<std::uint8_t> whole = frame.lead;
  Put32(&whole[0], head.size());
  Put32(&whole[4], blob.size());
  whole[8] = static_cast<std::uint8_t>(kind);
  OTE_TRY(const auto head_tag, sealer.Seal(whole.first(kBulkLead), head, whole.subspan(kBulkLead, head.size())));
  std::copy(head_tag.begin(), head_tag.end(), whole.last(kSessionTag).begin());
  if (blob.empty()) return frame;
  if (kind == BulkKind::kSealedMessage) {
    frame.blob = blob;
    OTE_TRY(frame.tag, sealer.Seal(blob.View(), {}, {}));
    return frame;
  }
  auto [room, owner] = pool.Take(blob.size());
  OTE_TRY(frame.tag, sealer.Seal({}, blob.View(), room));
  frame.blob = Blob(room, std::move(owner));
  return frame;
}

BulkReader::BulkReader(crypto::SessionOpener opener, std::shared_ptr<BlobPool> pool)
    : opener_(std::move(opener)), pool_(std::move(pool)) {}

std::span<std::uint8_t> BulkReader::Room() {
  switch (part_) {
    case Part::kLead:
      return std::span(lead_).subspan(filled_);
    case Part::kHead:
      return std::span(head_).subspan(filled_);
    case Part::kBlob:
      return blob_.subspan(filled_, std::min(kAtOnce, blob_.size() - filled_));
    case Part::kTag:
      break;
  }
  return std::span(tag_).subspan(filled_);
}

Result<std::optional<BulkArrival>> BulkReader::Took(std::size_t size) {
  if (part_ == Part::kBlob) {
    const auto part = blob_.subspan(filled_, size);
    if (kind_ == BulkKind::kSealedMessage) {
      opener_.Also(part);
    } else {
      opener_.Open(part);
    }
  }
  filled_ += size;
  return Advance();
}

// Goes on to the next part when this one is full.
Result<std::optional<BulkArrival>> BulkReader::Advance() {
  if (!Room().empty()) return std::optional<BulkArrival>();
  switch (part_) {
    case Part::kLead:
      OTE_CHECK(ReadLead());
      return std::optional<BulkArrival>();
    case Part::kHead:
      OTE_CHECK(ReadHead());
      if (blob_size_ == 0) return std::optional(Hand());
      std::tie(blob_, blob_owner_) = pool_->Take(blob_size_);
      Expect(Part::kBlob, 0);
      return std::optional<BulkArrival>();
    case Part::kBlob:
      Expect(Part::kTag, 0);
      return std::optional<BulkArrival>();
    case Part::kTag:
      break;
  }
  OTE_CHECK(opener_.Check(tag_));
  return std::optional(Hand());
}

Result<void> BulkReader::ReadLead() {
  const std::size_t head = Get32(&lead_[0]);
  blob_size_ = Get32(&lead_[4]);
  kind_ = static_cast<BulkKind>(lead_[8]);
  const bool message = kind_ == BulkKind::kMessage || kind_ == BulkKind::kSealedMessage;
  const bool fits = message                     ? head > 0 && head <= kMaxBulkHead && blob_size_ <= kMaxChunk
                    : kind_ == BulkKind::kGot   ? head == 8 && blob_size_ == 0
                    : kind_ == BulkKind::kHello ? head == 0 && blob_size_ == 0
                                                : false;
  if (!fits || lead_[9] != 0 || lead_[10] != 0 || lead_[11] != 0) {
    return Fail(ErrorId::kProtocol, "bulk line: not the beginning of a frame");
  }
  head_.resize(head + kSessionTag);
  Expect(Part::kHead, 0);
  return {};
}

Result<void> BulkReader::ReadHead() {
  const std::span<std::uint8_t> whole = head_;
  opener_.Also(lead_);
  opener_.Open(whole.first(whole.size() - kSessionTag));
  OTE_CHECK(opener_.Check(whole.last(kSessionTag)));
  head_.resize(head_.size() - kSessionTag);
  return {};
}

void BulkReader::Expect(Part part, std::size_t filled) {
  part_ = part;
  filled_ = filled;
}

BulkArrival BulkReader::Hand() {
  BulkArrival out{kind_, std::move(head_), Blob(blob_, std::move(blob_owner_))};
  head_.clear();
  blob_ = {};
  blob_owner_.reset();
  Expect(Part::kLead, 0);
  return out;
}

}  // namespace ote::wire
