// The record of a run as bytes: entries that are chained and signed, in one file.
//
//   file    "OTEREC1\n" | frame | … | seal
//   frame   length of the body, 4 bytes, little-endian | body | signature, 64 bytes
//
// The body of an entry is the CBOR of an EntryBody; it names the digest of the frame before it, and the root signs it
// under the domain "ote-record-v1". The seal is the last frame: a SealBody, signed under "ote-record-seal-v1" when the
// file is written, which says how many entries there are and what the last one is: so that a file that lost its end is
// told from one of a run that goes on.
//
// No length is believed beyond the bytes that are there.
#pragma once

#include <string>
#include <vector>

#include "core/api/record.h"
#include "core/base/result.h"
#include "crypto/keys.h"
#include "crypto/succession.h"

namespace ote::record {

inline constexpr std::string_view kMagic = "OTEREC1\n";
inline constexpr std::string_view kEntryDomain = "ote-record-v1";
inline constexpr std::string_view kSealDomain = "ote-record-seal-v1";

struct EntryBody {
  std::int64_t format = kFormat;
  std::string run;
  std::int64_t seq = 0;
  std::string previous;                         // FrameDigest of the one before; "" for the first
  std::string version;                          // of the ote that wrote it, with its commit
  std::string signer;                           // api::CertificateDigest of the root's that signed it
  Bytes authority;                              // the first entry: the key that certificates are signed by
  std::vector<crypto::Succession> successions;  // where the authority changed since the entry before
  api::RecordEntry entry;

  static constexpr std::int64_t kFormat = 1;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("format", self.format, kRequired);
    v("run", self.run, kRequired);
    v("seq", self.seq, kRequired);
    v("previous", self.previous, kRequired);
    v("version", self.version);
    v("signer", self.signer, kRequired);
    v("authority", self.authority);
    v("successions", self.successions);
    v("entry", self.entry, kRequired);
  }
};

struct SealBody {
  std::string run;
  std::int64_t entries = 0;
  std::string last;                             // FrameDigest of the last entry
  std::vector<crypto::Succession> successions;  // since the last entry
  crypto::Certificate certificate;              // that it is signed under: the root may have another key by then

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run, kRequired);
    v("entries", self.entries, kRequired);
    v("last", self.last, kRequired);
    v("successions", self.successions);
    v("certificate", self.certificate, kRequired);
  }
};

// Body and signature as a frame.
Bytes MakeFrame(ByteView body, std::string_view domain, const crypto::SigningKey& key);

struct Frame {
  ByteView body;
  ByteView signature;
};
// One frame that is all of `bytes`; kRecordBroken.
Result<Frame> ReadFrame(ByteView bytes);
// Takes a file apart, frame by frame; the last one is the seal. The file must outlive it.
class FileReader {
 public:
  // kRecordBroken when it is no record.
  static Result<FileReader> Open(ByteView file);
  bool AtEnd() const noexcept { return left_.empty(); }
  // The next frame. kRecordBroken when it is cut short; not at the end.
  Result<ByteView> Next();

 private:
  explicit FileReader(ByteView left) : left_(left) {}
  ByteView left_;
};

// What the next entry names as the one before it.
std::string FrameDigest(ByteView frame);

}  // namespace ote::record
