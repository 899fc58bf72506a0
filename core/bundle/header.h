// The header of a bundle: one file that is carried by hand, or sent by any other way that ote does not know.
//
//   "OTEBNDL1" | length of the header, 4 bytes, little-endian | header, CBOR of SignedHeader | content
//
// The header can be read without a key: what the bundle is, who signed it, for whom, how large it is. The signature
// (domain "ote-bundle-v1") is over all of it, and with it over the content: the header has the digest of each kChunk
// bytes of it. The content is a zstd frame (RFC 8878), sealed to the receiver (crypto/sealed.h); what is in the frame
// says manifest.h. A request is not sealed: who asks to join knows no key of the root yet.
//
// The header of the same content, made by the same keys, has the same bytes each time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/codec.h"
#include "crypto/certificate.h"
#include "crypto/digest.h"
#include "crypto/keys.h"
#include "crypto/succession.h"

namespace ote::bundle {

inline constexpr std::string_view kMagic = "OTEBNDL1";
inline constexpr std::int64_t kFormat = 1;
inline constexpr std::uint64_t kChunk = 1 << 20;
inline constexpr std::uint64_t kMostHeader = 16 << 20;
inline constexpr std::uint64_t kPrefix = 12;         // magic and length
inline constexpr std::int64_t kLargest = 1LL << 43;  // of a content, packed or not
inline constexpr std::string_view kDomain = "ote-bundle-v1";

namespace kind {
inline constexpr std::string_view kRequest = "request";  // a cluster asks to be a member
inline constexpr std::string_view kGrant = "grant";      // the root's answer
inline constexpr std::string_view kTask = "task";        // what a site is asked to do in a round
inline constexpr std::string_view kUpdate = "update";    // the site's answer
inline constexpr std::string_view kReceipt = "receipt";  // what the root took
inline constexpr std::string_view kModel = "model";      // a model of the registry
inline constexpr std::string_view kApp = "app";          // what a cluster is to run of an app, or that it gives it up
inline constexpr std::string_view kAppReceipt = "app-receipt";  // what became of it there
}  // namespace kind

struct Header {
  std::int64_t format = kFormat;
  std::string kind;  // a name; there may be more of them than this ote knows
  std::string issuer;
  Bytes sign_key;                                  // that made the signature
  std::optional<crypto::Certificate> certificate;  // of the issuer; a request has none
  std::string receiver;                            // "" for a request
  Bytes receiver_key;                              // X25519, what the content is sealed to; empty when it is not sealed
  Bytes authority;                                 // fingerprint of the tree's; empty in a request
  // Numbers of one stream ascend; a receiver keeps the highest that it took of each issuer and stream.
  std::string stream;
  std::int64_t sequence = 0;
  // Where it belongs to.
  std::string run;
  std::int64_t round = 0;
  std::string step;     // "train", "evaluate", …
  Bytes nonce;          // of the task, and of what answers it
  std::string answers;  // the digest of the bundle that this one answers
  UnixMillis created = 0;
  std::string version;  // of the ote that made it
  // The content.
  std::int64_t plain_size = 0;
  std::int64_t packed_size = 0;  // compressed
  std::string manifest;          // digest of the manifest
  Bytes chunks;                  // the digests of the content's chunks, 32 bytes each
  // What the authority says to all: taken by the receiver when it is newer than what it has.
  std::optional<crypto::RevocationList> revocations;
  std::vector<crypto::Succession> successions;

  bool Sealed() const noexcept { return !receiver_key.empty(); }
  // Of the content as it stands in the file.
  std::uint64_t ContentSize() const noexcept;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("format", self.format, kRequired);
    v("kind", self.kind, kRequired);
    v("issuer", self.issuer, kRequired);
    v("signKey", self.sign_key, kRequired);
    v("certificate", self.certificate);
    v("receiver", self.receiver);
    v("receiverKey", self.receiver_key);
    v("authority", self.authority);
    v("stream", self.stream);
    v("sequence", self.sequence, kRequired);
    v("run", self.run);
    v("round", self.round);
    v("step", self.step);
    v("nonce", self.nonce);
    v("answers", self.answers);
    v("created", self.created);
    v("version", self.version);
    v("plainSize", self.plain_size, kRequired);
    v("packedSize", self.packed_size, kRequired);
    v("manifest", self.manifest, kRequired);
    v("chunks", self.chunks, kRequired);
    v("revocations", self.revocations);
    v("successions", self.successions);
  }
};

struct SignedHeader {
  Bytes body;  // CBOR of Header
  Bytes signature;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("body", self.body, kRequired);
    v("signature", self.signature, kRequired);
  }
};

// A header whose form and signature were checked. The signature is by the key that it names itself: whether that key is
// to be trusted says CheckIssuer (trust.h).
struct Checked {
  Header header;
  std::string digest;  // what the bundle goes by: of the signed bytes
};

SignedHeader Sign(const crypto::SigningKey& key, const Header& header);
// kBundleAltered, kBundleNewer, kSignatureInvalid.
Result<Checked> CheckHeader(const SignedHeader& signed_header);

}  // namespace ote::bundle
