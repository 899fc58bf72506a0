// Artifacts sealed into others and opened again, chunk by chunk: nothing but a chunk is held in memory.
#pragma once

#include <functional>
#include <string>

#include "core/api/sealing.h"
#include "core/base/bytes.h"
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
// Opens artifact `sealed` into artifact `plain`, which is to have `size` bytes. kSealBroken when it is no stream of
// this size or does not open; kUpdateDigest when it opens to other bytes than `plain` names; what the disk says. The
// sealed one stays.
Result<void> OpenArtifact(Artifacts& artifacts, const std::string& sealed, const std::string& plain, std::int64_t size,
                          const MakeOpener& opener, Durability durability);

}  // namespace ote::store
