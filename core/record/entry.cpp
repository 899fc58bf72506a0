#include "core/record/entry.h"

#include <algorithm>

#include "crypto/digest.h"

namespace ote::record {
namespace {

constexpr std::size_t kHead = 4;
constexpr std::size_t kSignature = sizeof(crypto::Signature);

// The length of the frame that begins `bytes`; 0 when they do not hold one.
std::size_t FrameLength(ByteView bytes) {
  if (bytes.size() < kHead + kSignature) return 0;
  std::size_t body = 0;
  for (std::size_t i = kHead; i > 0; --i) body = body << 8 | bytes[i - 1];
  return body <= bytes.size() - kHead - kSignature ? kHead + body + kSignature : 0;
}

}  // namespace

Bytes MakeFrame(ByteView body, std::string_view domain, const crypto::SigningKey& key) {
  Bytes frame;
  frame.reserve(kHead + body.size() + kSignature);
  for (std::size_t i = 0; i < kHead; ++i) frame.push_back(static_cast<std::uint8_t>(body.size() >> (8 * i)));
  frame.insert(frame.end(), body.begin(), body.end());
  const crypto::Signature signature = key.Sign(domain, body);
  frame.insert(frame.end(), signature.begin(), signature.end());
  return frame;
}

Result<Frame> ReadFrame(ByteView bytes) {
  if (bytes.empty() || FrameLength(bytes) != bytes.size()) {
    return Fail(ErrorId::kRecordBroken, "its length is not the one that it begins with");
  }
  return Frame{bytes.subspan(kHead, bytes.size() - kHead - kSignature), bytes.last(kSignature)};
}

Result<FileReader> FileReader::Open(ByteView file) {
  const ByteView magic = AsBytes(kMagic);
  if (file.size() < magic.size() || !std::equal(magic.begin(), magic.end(), file.begin())) {
    return Fail(ErrorId::kRecordBroken, "it does not begin as the record of a run does");
  }
  return FileReader(file.subspan(magic.size()));
}

Result<ByteView> FileReader::Next() {
  const std::size_t length = FrameLength(left_);
  if (length == 0) return Fail(ErrorId::kRecordBroken, "it is cut short, or its length was changed");
  const ByteView frame = left_.first(length);
  left_ = left_.subspan(length);
  return frame;
}

std::string FrameDigest(ByteView frame) { return crypto::DigestOf(frame).ToString(); }

}  // namespace ote::record
