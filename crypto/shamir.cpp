#include "crypto/shamir.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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

// Eight field elements at a time, each times x. What overflows is taken back by 0x1b, bit by bit: no multiplication, so
// that compilers find vectors here.
constexpr Word TimesX(Word a) noexcept {
  const Word over = (a >> 7) & kOnes;
  return ((a & kLow7) << 1) ^ over ^ (over << 1) ^ (over << 3) ^ (over << 4);
}

// Eight field elements, each times the public `factor`.
constexpr Word Times(Word a, std::uint8_t factor) noexcept {
  Word out = 0;
  for (; factor != 0; factor = static_cast<std::uint8_t>(factor >> 1)) {
    if ((factor & 1) != 0) out ^= a;
    a = TimesX(a);
  }
  return out;
}

// So many words are multiplied together.
using Vector = std::array<Word, 8>;

void TimesAll(Vector& values, std::uint8_t factor) noexcept {
  Vector power = values;
  values = {};
  for (; factor != 0; factor = static_cast<std::uint8_t>(factor >> 1)) {
    if ((factor & 1) != 0) {
      for (std::size_t i = 0; i < power.size(); ++i) values[i] ^= power[i];
    }
    for (Word& word : power) word = TimesX(word);
  }
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
  const std::size_t size = secret.size();
  // The polynomial: the secret, then needed - 1 random coefficients.
  SecretBytes polynomial(needed * size);
  std::copy(secret.begin(), secret.end(), polynomial.Mutable().begin());
  if (needed > 1 && size > 0) {
    const SecretBytes random = SecretBytes::Random((needed - 1) * size);
    std::copy(random.View().begin(), random.View().end(),
              polynomial.Mutable().begin() + static_cast<std::ptrdiff_t>(size));
  }
  SecretBytes shares(count * size);
  Vector value{};
  Vector next{};
  for (std::size_t at = 0; at < size; at += sizeof value) {
    const std::size_t some = std::min(size - at, sizeof value);
    for (std::size_t holder = 1; holder <= count; ++holder) {
      value = {};
      for (std::size_t k = needed; k > 0; --k) {
        TimesAll(value, static_cast<std::uint8_t>(holder));
        std::memcpy(next.data(), polynomial.View().data() + (k - 1) * size + at, some);
        for (std::size_t i = 0; i < value.size(); ++i) value[i] ^= next[i];
      }
      std::memcpy(shares.Mutable().data() + (holder - 1) * size + at, value.data(), some);
    }
  }
  for (Vector* used : {&value, &next}) Wipe({reinterpret_cast<std::uint8_t*>(used->data()), sizeof *used});
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
