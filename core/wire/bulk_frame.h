// The bytes of a bulk line: what one side writes to it, and a reader for what arrives.
//
// A bulk line is a TCP connection beside a CURVE link, for messages with a large blob (bulk_side.h). All on it is
// protected by a session (crypto/session.h) whose keys were agreed on over the CURVE link. A frame:
//
//   lead    12 bytes: head size, blob size (each 4 bytes, little-endian), kind (1 byte), three zeros
//   head    encrypted; a message's is frame 1 of an envelope (envelope.h)
//   tag     16 bytes: over lead and head
//   blob    when its size is not 0: encrypted; kSealedMessage: as it is, since it is a sealed stream already
//   tag     16 bytes, when there is a blob: over the blob
//
// Lead and head are one piece of the session, the blob is the next one. Room for a head or a blob is made only after
// its size was seen to be within the bounds, and for a blob only after the tag before it held.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <tuple>
#include <vector>

#include "core/base/result.h"
#include "core/wire/blob.h"
#include "crypto/session.h"

namespace ote::wire {

enum class BulkKind : std::uint8_t {
  kHello = 0,          // no head, no blob: the first frame of each side
  kMessage = 1,        // head and blob
  kSealedMessage = 2,  // head and blob
  kGot = 3,            // head: how many messages have arrived, 8 bytes, little-endian
};

inline constexpr std::size_t kBulkLead = 12;
inline constexpr std::size_t kMaxBulkHead = 64 << 10;
inline constexpr std::size_t kHelloFrame = kBulkLead + crypto::kSessionTag;

// Memory for blobs that come and go, without asking the system for it each time. Shared: a blob may be let go of in
// another thread.
class BlobPool : public std::enable_shared_from_this<BlobPool> {
 public:
  // `size` bytes with what was left in them.
  std::pair<std::span<std::uint8_t>, std::shared_ptr<const void>> Take(std::size_t size);
  // Gives what is not in use back to the system.
  void Trim();

 private:
  struct Slab {
    std::unique_ptr<std::uint8_t[]> bytes;
    std::size_t size = 0;
  };
  void GiveBack(Slab slab);
  std::mutex mutex_;
  std::vector<Slab> free_;
};

// A frame that is ready to be written: `lead` to the first tag, then the blob and its tag.
struct BulkFrame {
  Bytes lead;
  Blob blob;
  crypto::SessionTag tag{};
  std::size_t Size() const noexcept { return lead.size() + (blob.empty() ? 0 : blob.size() + tag.size()); }
};
// kSessionUsedUp. Head and blob are within the bounds.
Result<BulkFrame> MakeBulkFrame(crypto::SessionSealer& sealer, BulkKind kind, ByteView head, const Blob& blob,
                                BlobPool& pool);

struct BulkArrival {
  BulkKind kind = BulkKind::kHello;
  Bytes head;
  Blob blob;
};

class BulkReader {
 public:
  BulkReader(crypto::SessionOpener opener, std::shared_ptr<BlobPool> pool);

  // Where the next bytes of the connection go; never empty.
  std::span<std::uint8_t> Room();
  // `size` bytes were put there: a frame when it is whole and genuine, nothing while it is not whole. kProtocol and
  // kSessionBroken mean that the connection is to be cut; the reader is of no use then.
  Result<std::optional<BulkArrival>> Took(std::size_t size);

 private:
  enum class Part { kLead, kHead, kBlob, kTag };
  Result<std::optional<BulkArrival>> Advance();
  Result<void> ReadLead();
  Result<void> ReadHead();
  void Expect(Part part, std::size_t size);
  BulkArrival Hand();

  crypto::SessionOpener opener_;
  std::shared_ptr<BlobPool> pool_;
  Part part_ = Part::kLead;
  std::size_t filled_ = 0;
  std::array<std::uint8_t, kBulkLead> lead_{};
  Bytes head_;  // with its tag
  std::size_t blob_size_ = 0;
  std::span<std::uint8_t> blob_;
  std::shared_ptr<const void> blob_owner_;
  crypto::SessionTag tag_{};
  BulkKind kind_ = BulkKind::kHello;
};

}  // namespace ote::wire
