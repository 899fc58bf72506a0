// One message: a small header and body in CBOR, and an optional blob that travels beside them.
//
// On the wire a message is one or two ZeroMQ frames (ZMTP 3.1, RFC 23):
//
//   frame 1  the header, a CBOR map (RFC 8949), at most kMaxHeader bytes:
//              "v"     1, the version of this format, read before anything else
//              "k"     "req", "rep" or "err"
//              "id"    whole number, 0 to 2^64-1, chosen by the side that asks; the answer repeats it. 0 is for a
//                      message that answers nothing
//              "verb"  text of 1 to kMaxVerb bytes, a-z, 0-9, '.', '-' and '_': core/api/requests.h; the answer repeats
//                      it
//              "body"  a map: what the verb takes or gives; {} when left out. Of an "err": {"code": number in
//                      errors.inc, "message": text, "hint": text}
//              "last"  bool, true when left out: false says that more answers to the same request follow (a stream)
//              "to"    of a request: the name of the cluster that it is for, when that is not the one that gets it
//              "from"  of a request: the name of the cluster that it is of, when that is not the one that sends it
//            The map has no key twice, at most 32 levels and no bytes after it. Keys that are not known are passed
//            over, so that a later ote can add some without another version.
//   frame 2  when there is one: the blob, raw bytes, 1 to kMaxChunk. An empty second frame is no blob.
//
// A message of more frames, of larger frames, or whose header breaks a rule is dropped, counted and not answered.
#pragma once

#include <cstdint>
#include <string>

#include "core/base/codec.h"
#include "core/wire/blob.h"

namespace ote::wire {

inline constexpr std::size_t kMaxHeader = 1 << 20;
inline constexpr std::size_t kMaxChunk = 4 << 20;
inline constexpr std::size_t kMaxVerb = 64;
inline constexpr int kEnvelopeVersion = 1;

enum class MessageKind { kRequest, kReply, kError };

struct Envelope {
  MessageKind kind = MessageKind::kRequest;
  std::uint64_t id = 0;  // chosen by the one that asks; the answer repeats it
  std::string verb;
  Json body = Json::object();
  Blob blob;
  bool last = true;  // false: more answers to the same request follow (a stream)
  std::string to;    // request: the cluster that it is for; "" for whoever gets it
  std::string from;  // request: the cluster that it is of, told by the one that passes it on; "" for the sender itself
};

// Frame 1 of `envelope`; what the blob holds is not looked at.
Bytes EncodeHeader(const Envelope& envelope);
// kProtocol for anything but a whole, well-formed header; kVersionMismatch for another version. Never throws.
Result<Envelope> DecodeHeader(ByteView header);
// What every transport does before it sends: frame 1, or kProtocol when header or blob are larger than a peer would
// take.
Result<Bytes> EncodeForSending(const Envelope& envelope);

Envelope MakeRequest(std::uint64_t id, std::string_view verb, Json body, Blob blob = {});
Envelope MakeReply(const Envelope& request, Json body, Blob blob = {}, bool last = true);
// Ends the stream, when the request asked for one. Long messages and hints are cut at 4 KiB.
Envelope MakeError(const Envelope& request, const Error& error);
// The error that a kError envelope carries. Unknown numbers keep their text under kFailed.
Error ErrorOf(const Envelope& envelope);

}  // namespace ote::wire

template <>
struct ote::EnumNames<ote::wire::MessageKind> {
  using E = ote::wire::MessageKind;
  static constexpr std::pair<E, std::string_view> kNames[] = {
      {E::kRequest, "req"}, {E::kReply, "rep"}, {E::kError, "err"}};
};
