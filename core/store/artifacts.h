// Artifacts: immutable byte strings, models and updates, that go by the digest of their content.
//
//   <folder>/ab/cdef…         the artifact whose BLAKE2b-256 digest is abcdef… in hex
//   <folder>/partial/<hex>    one that is arriving
//   <folder>/partial/<id>.new one that is being made; removed by the next Open
//   <folder>/ab/.cdef….tmp    one that was being written when the process died; removed by the next Open
//
// An artifact is in place only when it is whole and on disk. Reading checks the digest: a damaged file is removed, so
// that the artifact counts as missing and can be fetched anew, and kArtifactCorrupt is returned.
//
// Errors of every call: kArtifactMissing, kArtifactCorrupt, kNoSpace, kFileFailed, and kMalformed for a name that is
// not a digest. One object a folder. Single thread, but for Create, and what Map returns, which any thread may read and
// let go.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/files.h"
#include "core/base/result.h"
#include "crypto/digest.h"

namespace ote::store {

// A digest as the callers have it: the value, or its text "blake2b:<64 hex>".
class ArtifactName {
 public:
  ArtifactName(const crypto::Digest& digest) : digest_(digest) {}
  ArtifactName(std::string_view text) : digest_(crypto::Digest::Parse(text)) {}
  ArtifactName(const std::string& text) : ArtifactName(std::string_view(text)) {}
  ArtifactName(const char* text) : ArtifactName(std::string_view(text)) {}
  const Result<crypto::Digest>& Value() const noexcept { return digest_; }

 private:
  Result<crypto::Digest> digest_;
};

// An artifact mapped into memory, for as long as the object lives; also when it is removed meanwhile. Move-only.
class MappedArtifact {
 public:
  MappedArtifact(MappedArtifact&& other) noexcept;
  MappedArtifact& operator=(MappedArtifact&& other) noexcept;
  ~MappedArtifact();
  ByteView View() const noexcept { return {data_, size_}; }

 private:
  friend class Artifacts;
  MappedArtifact(const std::uint8_t* data, std::size_t size) noexcept : data_(data), size_(size) {}
  const std::uint8_t* data_;
  std::size_t size_;
};

// An artifact that arrives in pieces, in order. What was appended stays when the object is destroyed or the process
// dies, and the next Begin goes on from there. One object for a digest at a time. Move-only.
class Partial {
 public:
  Partial(Partial&&) noexcept;
  Partial& operator=(Partial&&) noexcept;
  ~Partial();

  // Bytes that are there; the next piece belongs here.
  std::uint64_t Offset() const noexcept;
  // The size that was announced.
  std::uint64_t Size() const noexcept;
  // kMalformed, and nothing written, when it is more than what was announced.
  Result<void> Append(ByteView piece);
  // Checks the digest, syncs, and puts the artifact in its place. kArtifactCorrupt, and everything is dropped, when the
  // bytes are others than the digest says; kMalformed, and all is kept, when some are missing. The object is used up
  // after, unless bytes were missing.
  // With kBestEffort it is not synced: after a power cut it may be damaged, and reading it says so.
  Result<void> Finish(Durability durability = Durability::kSynced);
  // Drops what has arrived.
  void Discard() noexcept;

 private:
  friend class Artifacts;
  struct State;
  explicit Partial(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

// An artifact that is made in pieces, its digest seen only at its end. What is not finished is removed with the object.
// Move-only; one thread, which need not be that of the Artifacts.
class NewArtifact {
 public:
  NewArtifact(NewArtifact&&) noexcept;
  NewArtifact& operator=(NewArtifact&&) noexcept;
  ~NewArtifact();

  Result<void> Append(ByteView piece);
  // Puts it in its place. The object is used up after.
  Result<crypto::Digest> Finish(Durability durability);
  // The same of one whose digest was told: kArtifactCorrupt, and everything is dropped, when it is another.
  Result<void> FinishAs(const crypto::Digest& digest, Durability durability);

 private:
  friend class Artifacts;
  struct State;
  Result<crypto::Digest> Place(const crypto::Digest* wanted, Durability durability);
  explicit NewArtifact(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

class Artifacts {
 public:
  // Makes the folder with mode 0700 when it is not there. Partials are kept.
  static Result<Artifacts> Open(std::filesystem::path folder);

  // Durable when it returns. One that is there already is left as it is.
  Result<crypto::Digest> Put(ByteView bytes);
  // The same for bytes whose digest is known: kArtifactCorrupt, and nothing written, when it is another.
  Result<void> Put(const ArtifactName& name, ByteView bytes);

  Result<Bytes> Get(const ArtifactName& name);
  // Without a copy. The digest is checked once, now, unless whoever reads the bytes checks it anyway.
  enum class Check { kDigest, kNothing };
  Result<MappedArtifact> Map(const ArtifactName& name, Check check = Check::kDigest);
  // At most `length` bytes from `offset`; fewer at the end, none beyond it. Does not check the digest: whoever puts the
  // ranges together does.
  Result<Bytes> ReadRange(const ArtifactName& name, std::uint64_t offset, std::uint64_t length) const;
  Result<std::uint64_t> Size(const ArtifactName& name) const;
  bool Has(const ArtifactName& name) const noexcept;
  // The file that holds it, for other programs to copy from; it is not to be changed, and its digest is not checked.
  // kArtifactMissing.
  Result<std::filesystem::path> PathOf(const ArtifactName& name) const;
  // Whether there was one, and it is gone now.
  bool Remove(const ArtifactName& name);
  // Drops what has arrived of it.
  void Abandon(const ArtifactName& name);
  // In the order of the digests.
  Result<std::vector<crypto::Digest>> List() const;

  // Begins or resumes. kNoSpace when the rest does not fit on the disk. An earlier partial that is larger than `size`
  // is begun anew.
  Result<Partial> Begin(const ArtifactName& name, std::uint64_t size);

  // Begins one of about `size` bytes; kNoSpace when they do not fit on the disk. Any thread.
  Result<NewArtifact> Create(std::uint64_t size) const;

  // Removes every artifact and every partial that is not in `keep`; tells how many bytes that freed.
  Result<std::uint64_t> CollectExcept(const std::set<crypto::Digest>& keep);

 private:
  friend class NewArtifact;
  explicit Artifacts(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path FileOf(const crypto::Digest& digest) const;
  std::filesystem::path PartialOf(const crypto::Digest& digest) const;

  std::filesystem::path folder_;
};

}  // namespace ote::store
