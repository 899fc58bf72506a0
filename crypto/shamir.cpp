#include "crypto/shamir.h"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <cstring>
#include <vector>

#include "crypto/require.h"

namespace ote::crypto {
namespace {

using Word = std::uint64_t;
constexpr std::size_t kWord = sizeof(Word);
constexpr Word kOnes = 0x0101010101010101ULL;
constexpr Word kLow7 = 0x7f7f7f7f7f7f7f7fULL;

// Eight field elements at a time, each times x.
constexpr Word TimesX(Word a) noexcept { return ((a & kLow7) << 1) ^ (((a >> 7) & kOnes) * 0x1b); }

// Eight field elements, each times the public `factor`.
constexpr Word Times(Word a, std::uint8_t factor) noexcept {
  Word out = 0;
  for (int bit = 0; bit < 8; ++bit) {
    out ^= a & (Word{0} - ((static_cast<Word>(factor) >> bit) & 1));
    a = TimesX(a);
  }
  return out;
}

std::size_t WordsFor(std::size_t bytes) noexcept { return (bytes + kWord - 1) / kWord; }

// Words in memory that is wiped.
class Words {
 public:
  explicit Words(std::size_t count) : bytes_(std::max<std::size_t>(1, count) * kWord) {}
  Word Get(std::size_t at) const noexcept {
    Word word = 0;
    std::memcpy(&word, bytes_.View().data() + at * kWord, kWord);
    return word;
  }
  void Set(std::size_t at, Word word) noexcept { std::memcpy(bytes_.Mutable().data() + at * kWord, &word, kWord); }
  void Load(std::size_t at, ByteView from) noexcept {
    std::copy(from.begin(), from.end(), bytes_.Mutable().begin() + static_cast<std::ptrdiff_t>(at * kWord));
  }
  ByteView View(std::size_t at, std::size_t size) const noexcept { return bytes_.View().subspan(at * kWord, size); }

 private:
  SecretBytes bytes_;
};

}  // namespace

std::uint8_t FieldProduct(std::uint8_t a, std::uint8_t b) noexcept {
  return static_cast<std::uint8_t>(Times(static_cast<Word>(a), b) & 0xff);
}

std::uint8_t FieldInverse(std::uint8_t a) noexcept {
  // a^254, by squaring: 254 = 2 + 4 + … + 128.
  std::uint8_t out = 1;
  std::uint8_t power = a;
  for (int i = 0; i < 7; ++i) {
    power = FieldProduct(power, power);
    out = FieldProduct(out, power);
  }
  return out;
}

SecretBytes SplitSecret(ByteView secret, std::size_t needed, std::size_t count) {
  Require(needed >= 1 && needed <= count && count <= kMostShares, "a secret is shared among 1 to 255");
  const std::size_t words = WordsFor(secret.size());
  // The polynomial: the secret, then needed - 1 random coefficients.
  Words polynomial(needed * words);
  polynomial.Load(0, secret);
  if (needed > 1 && words > 0) {
    const SecretBytes random = SecretBytes::Random((needed - 1) * words * kWord);
    polynomial.Load(words, random.View());
  }
  SecretBytes shares(count * secret.size());
  Words value(words);
  for (std::size_t holder = 1; holder <= count; ++holder) {
    const auto x = static_cast<std::uint8_t>(holder);
    for (std::size_t w = 0; w < words; ++w) {
      Word sum = 0;
      for (std::size_t k = needed; k > 0; --k) sum = Times(sum, x) ^ polynomial.Get((k - 1) * words + w);
      value.Set(w, sum);
    }
    const ByteView made = value.View(0, secret.size());
    std::copy(made.begin(), made.end(),
              shares.Mutable().begin() + static_cast<std::ptrdiff_t>((holder - 1) * secret.size()));
  }
  return shares;
}

Result<SecretBytes> JoinShares(std::span<const ShareOf> shares) {
  const auto wrong = [](std::string why) { return Fail(ErrorId::kMaskShareInvalid, "shares of a secret: " + why); };
  if (shares.empty() || shares.size() > kMostShares) return wrong(fmt::format("{} of them", shares.size()));
  std::bitset<256> seen;
  for (const ShareOf& share : shares) {
    if (share.holder == 0 || seen.test(share.holder)) return wrong(fmt::format("holder {} cannot be", share.holder));
    if (share.share.size() != shares.front().share.size()) return wrong("they have different lengths");
    seen.set(share.holder);
  }
  const std::size_t size = shares.front().share.size();
  const std::size_t words = WordsFor(size);
  Words sum(words);
  Words term(words);
  for (const ShareOf& share : shares) {
    // Lagrange's coefficient at 0; differences are sums in this field.
    std::uint8_t above = 1;
    std::uint8_t below = 1;
    for (const ShareOf& other : shares) {
      if (other.holder == share.holder) continue;
      above = FieldProduct(above, other.holder);
      below = FieldProduct(below, static_cast<std::uint8_t>(other.holder ^ share.holder));
    }
    const std::uint8_t factor = FieldProduct(above, FieldInverse(below));
    term.Load(0, share.share);
    for (std::size_t w = 0; w < words; ++w) sum.Set(w, sum.Get(w) ^ Times(term.Get(w), factor));
  }
  return SecretBytes::CopyOf(sum.View(0, size));
}

}  // namespace ote::crypto
