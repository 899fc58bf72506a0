// Random numbers from a secret key: the ChaCha20 key stream (RFC 8439, libcrypto's) of that key and a context. Who does
// not know the key cannot tell them from true randomness; who does gets the same numbers again.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/base/bytes.h"

namespace ote::crypto {

// Not for several threads at once. 256 GiB a stream, after which it begins anew under the next nonce.
class RandomStream {
 public:
  // `secret` holds 128 random bits or more; streams of different contexts have nothing to do with each other.
  RandomStream(ByteView secret, std::string_view context);
  // From the system's randomness.
  static RandomStream Fresh();
  ~RandomStream();
  RandomStream(RandomStream&&) noexcept;
  RandomStream& operator=(RandomStream&&) noexcept;

  std::uint64_t Next();
  // 0 <= x < bound, without bias (Lemire 2019); bound > 0.
  std::uint64_t Below(std::uint64_t bound);
  // Whether an event of probability numerator / denominator happens, exactly; numerator <= denominator.
  bool Chance(std::uint64_t numerator, std::uint64_t denominator) { return Below(denominator) < numerator; }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ote::crypto
