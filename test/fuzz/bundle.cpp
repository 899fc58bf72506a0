// fuzz-link: ote_bundle
// Bundles: the header, the parts in front of it, and the content, under a signature that is made to hold. What comes
// out is never more than was declared.
#include "core/bundle/open.h"
#include "core/bundle/part_header.h"
#include "core/bundle/zstd.h"
#include "crypto/sealed.h"

namespace {

using namespace ote;
using namespace ote::bundle;

void UnpackAll(Bundle& bundle, const crypto::TransportKey* key) {
  std::uint64_t given = 0;
  const auto most = static_cast<std::uint64_t>(bundle.About().plain_size);
  (void)bundle.Unpack(
      key, [](const Manifest&, ByteView) -> Result<void> { return {}; },
      [&](const Item&, std::uint64_t, ByteView piece) -> Result<void> {
        given += piece.size();
        if (given > most) __builtin_trap();
        return {};
      });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto sign = crypto::SigningKey::FromSeed(Bytes(32, 1)).value();
  static const auto key = crypto::TransportKey::FromSecret(Bytes(32, 2)).value();
  const ByteView input(data, size);
  (void)DecodePartHeader(input);
  if (auto bundle = Bundle::Open(OpenMemory(input))) {
    (void)bundle->Check();
    UnpackAll(*bundle, &key);
  }
  // The same bytes as the content of a bundle whose signature holds.
  if (size < 4 || size > 1 << 20) return 0;
  Header header;
  header.kind = "task";
  header.issuer = "hq";
  header.sign_key.assign(sign.Public().bytes.begin(), sign.Public().bytes.end());
  header.plain_size = data[0] * 257;
  const ByteView content = input.subspan(1);
  header.packed_size = static_cast<std::int64_t>(content.size());
  header.manifest = crypto::DigestOf({}).ToString();
  const auto digest = crypto::DigestOf(content);
  header.chunks.assign(digest.bytes.begin(), digest.bytes.end());
  const Bytes body = ToCbor(Sign(sign, header));
  Bytes file(kMagic.begin(), kMagic.end());
  for (int i = 0; i < 4; ++i) file.push_back(static_cast<std::uint8_t>(body.size() >> (8 * i)));
  file.insert(file.end(), body.begin(), body.end());
  file.insert(file.end(), content.begin(), content.end());
  auto bundle = Bundle::Open(OpenMemory(file));
  if (!bundle) __builtin_trap();
  UnpackAll(*bundle, nullptr);
  (void)ReadManifest(input);
  return 0;
}
