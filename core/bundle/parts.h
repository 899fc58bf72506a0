// A bundle as it lies on media: one file, or parts of it beside each other, FILE.001, FILE.002 and so on.
//
// A part begins with 64 bytes that tell which bundle it is of and which bytes it has, so that it is found whatever it
// was renamed to:
//
//   "OTEPART1" | which bundle, 16 bytes | number, 4 | of how many, 4 | first byte, 8 | bytes, 8 | bytes of the whole, 8
//   | the first 8 bytes of the digest of all before
//
// whole numbers little-endian. They are not signed: what they put together is, see header.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace ote::bundle {

inline constexpr std::string_view kPartMagic = "OTEPART1";
inline constexpr std::uint64_t kPartHeader = 64;
inline constexpr std::uint32_t kMostParts = 9999;

// The bytes of a bundle, wherever they are. One thread.
class Input {
 public:
  virtual ~Input() = default;
  // Of the whole, also when some of it is missing.
  virtual std::uint64_t Size() const noexcept = 0;
  // Fills `out` from `offset`. kBundlePartMissing, kBundleTruncated, kFileFailed.
  virtual Result<void> Read(std::uint64_t offset, std::span<std::uint8_t> out) = 0;
  // What is not there: the numbers of parts; and, of one file, nothing.
  virtual std::vector<std::uint32_t> Missing() const { return {}; }
  // What it lies in, the first part first.
  virtual std::vector<std::filesystem::path> Files() const { return {}; }
};

// `path` is a bundle, any part of one, or the name before ".001". kBundleNone when it is neither.
Result<std::unique_ptr<Input>> OpenInput(const std::filesystem::path& path);
// For tests. The bytes must outlive it.
std::unique_ptr<Input> OpenMemory(ByteView bytes);

// A bundle that is being written, beside where it will stand. Nothing shows there before Place(); when it is destroyed
// without it, nothing is left.
class Output {
 public:
  // Of `size` bytes, in one file at `path`, or in parts of at most `split` bytes each when that is not 0. kNoSpace when
  // it does not fit on the disk, before anything is written; kConflict when something is there, unless `force`.
  static Result<Output> Begin(const std::filesystem::path& path, std::uint64_t size, std::uint64_t split,
                              ByteView which);
  Output(Output&&) noexcept;
  ~Output();
  // One of the files that it would take the place of, if there is one.
  std::optional<std::filesystem::path> Occupied() const;
  Result<void> Write(std::uint64_t offset, ByteView bytes);
  // Syncs, and puts the files in their places; gives them.
  Result<std::vector<std::filesystem::path>> Place();

 private:
  struct State;
  explicit Output(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace ote::bundle
