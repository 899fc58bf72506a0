// fuzz-link: ote_wire
// What arrives on a bulk line. The first byte says whether the rest are bytes of a stranger, which must give nothing,
// or frames that a peer makes of them: what is well-formed comes out as it went in, and nothing else comes out.
#include "core/wire/bulk_frame.h"

namespace {

using namespace ote;
using namespace ote::wire;

const Bytes kKey(32, 7);

// Whether the reader is still of use.
bool Feed(BulkReader& reader, ByteView bytes, std::vector<BulkArrival>& out) {
  while (!bytes.empty()) {
    const auto room = reader.Room();
    if (room.empty()) __builtin_trap();
    const std::size_t size = std::min(room.size(), bytes.size());
    std::copy_n(bytes.begin(), size, room.begin());
    bytes = bytes.subspan(size);
    auto arrival = reader.Took(size);
    if (!arrival) return false;
    if (*arrival) out.push_back(std::move(**arrival));
  }
  return true;
}

bool Equal(ByteView a, ByteView b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  static const auto pool = std::make_shared<BlobPool>();
  const ByteView input(data, size);
  BulkReader reader(crypto::SessionOpener(kKey), pool);
  std::vector<BulkArrival> out;
  if ((input[0] & 1) == 0) {
    Feed(reader, input.subspan(1), out);
    if (!out.empty()) __builtin_trap();  // nobody made it
    return 0;
  }
  crypto::SessionSealer sealer(kKey);
  const auto kind = static_cast<BulkKind>(input[1]);
  const std::size_t head = std::min<std::size_t>(input[2], size - 4);
  const ByteView rest = input.subspan(4);
  const Blob blob(Bytes(rest.begin() + static_cast<std::ptrdiff_t>(head), rest.end()));
  const auto frame = MakeBulkFrame(sealer, kind, rest.first(head), blob, *pool);
  Bytes wire = frame->lead;
  if (!frame->blob.empty()) {
    wire.insert(wire.end(), frame->blob.View().begin(), frame->blob.View().end());
    wire.insert(wire.end(), frame->tag.begin(), frame->tag.end());
  }
  // Every other input has one byte changed.
  const bool altered = (input[0] & 2) != 0;
  if (altered) wire[input[3] % wire.size()] ^= 0x40;
  Feed(reader, wire, out);
  if (altered && !out.empty()) __builtin_trap();
  for (const BulkArrival& one : out) {
    if (one.kind != kind || !Equal(one.head, rest.first(head)) || !Equal(one.blob.View(), blob.View())) {
      __builtin_trap();
    }
  }
  return 0;
}
