// Content digests: BLAKE2b-256 (RFC 7693), what `b2sum -l 256 FILE` prints.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace ote::crypto {

// A value; compares and orders by its bytes. Not secret.
struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  // "blake2b:" and 64 hex digits.
  std::string ToString() const;
  std::string Hex() const;
  // Reads what ToString writes; kMalformed otherwise.
  static Result<Digest> Parse(std::string_view text);
  friend auto operator<=>(const Digest&, const Digest&) = default;
};

Digest DigestOf(ByteView bytes);

// The digest of a stream. Not for several threads at once.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  void Update(ByteView bytes);
  // Ends the stream; the hasher may not be used after.
  Digest Finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ote::crypto
