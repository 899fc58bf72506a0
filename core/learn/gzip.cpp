#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>

#include "core/learn/formats.h"

namespace ote::learn {
namespace {

constexpr std::size_t kChunk = 1 << 18;

// Owns zlib's state.
class Inflater {
 public:
  Inflater() { ready_ = inflateInit2(&stream_, 15 + 16) == Z_OK; }
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  bool Ready() const noexcept { return ready_; }
  z_stream& Stream() noexcept { return stream_; }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

}  // namespace

bool IsGzip(ByteView bytes) noexcept { return bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b; }

Result<Bytes> Gunzip(ByteView bytes, std::uint64_t limit, std::string_view name) {
  const auto refuse = [&](std::string_view why) {
    return Fail(ErrorId::kDataBadFormat, fmt::format("{}: gzip: {}", name, why));
  };
  Inflater inflater;
  if (!inflater.Ready()) return refuse("out of memory");
  z_stream& stream = inflater.Stream();
  Bytes out;
  Bytes chunk(kChunk);
  std::size_t given = 0;
  bool ended = false;
  while (!ended || stream.avail_in > 0 || given < bytes.size()) {
    if (stream.avail_in == 0) {
      // zlib counts in 32 bits.
      const std::size_t size = std::min<std::size_t>(bytes.size() - given, std::numeric_limits<uInt>::max());
      if (size == 0) return refuse("it ends too early");
      stream.next_in = const_cast<Bytef*>(bytes.data() + given);
      stream.avail_in = static_cast<uInt>(size);
      given += size;
    }
    if (ended) {
      ended = false;
      if (inflateReset(&stream) != Z_OK) return refuse("it is damaged");
    }
    stream.next_out = chunk.data();
    stream.avail_out = static_cast<uInt>(chunk.size());
    const int status = inflate(&stream, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) return refuse("it is damaged");
    const std::size_t made = chunk.size() - stream.avail_out;
    if (made > limit - out.size()) return refuse(fmt::format("more than {} bytes when unpacked", limit));
    out.insert(out.end(), chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(made));
    ended = status == Z_STREAM_END;
  }
  return out;
}

}  // namespace ote::learn
