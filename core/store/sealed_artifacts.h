// Artifacts sealed into others and opened again, chunk by chunk: nothing but a chunk is held in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "core/api/sealing.h"
#include "core/base/bytes.h"
#include "core/base/descriptor.h"
#include "core/base/result.h"
#include "core/store/artifacts.h"
#include "crypto/sealed.h"

namespace ote::store {

// Seals `plain` into a new artifact. Any thread. Durable when it returns, or as kBestEffort says. kNoSpace,
// kFileFailed.
Result<api::SealedCopy> SealArtifact(const Artifacts& artifacts, crypto::Sealer sealer, ByteView plain,
                                     Durability durability);

// How to open a stream with this header.
using MakeOpener = std::function<Result<crypto::Opener>(ByteView header)>;

// A sealed artifact that was begun to be opened. Move-only; it holds the file, also when the artifact is removed.
struct Opening {
  Descriptor file;
  std::uint64_t size = 0;  // of what is sealed
  crypto::Opener opener;
  std::string sealed;
  std::string plain;
};
// Begins to open artifact `sealed` into artifact `plain`, which is to have `size` bytes: what is quick. kSealBroken
// when it is no stream of this size; what the disk says.
Result<Opening> BeginOpening(const Artifacts& artifacts, const std::string& sealed, const std::string& plain,
                             std::int64_t size, const MakeOpener& opener);
// Does the rest: `plain` is there when it returns without error, and nothing of it otherwise. Any thread. kSealBroken
// when it does not open; kUpdateDigest when it opens to other bytes than `plain` names; kInterrupted when it was asked
// to stop; what the disk says. The sealed one stays.
Result<void> FinishOpening(const Artifacts& artifacts, Opening opening, Durability durability,
                           const std::stop_token& stop = {});

}  // namespace ote::store
