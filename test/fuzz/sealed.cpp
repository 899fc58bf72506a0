// fuzz-link: ote_crypto
// Sealed streams: the header, the sizes and the chunks of one that was made up.
#include "crypto/sealed.h"

#include "crypto/keys.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto key = ote::crypto::TransportKey::FromSecret(ote::Bytes(32, 7)).value();
  const ote::ByteView input(data, size);
  if (ote::crypto::OpenSealed(key, ote::AsBytes("fuzz"), input)) __builtin_trap();  // nobody sealed it
  if (const auto plain = ote::crypto::PlainSize(size); plain && ote::crypto::SealedSize(*plain) != size)
    __builtin_trap();
  return 0;
}
