#include "crypto/secret.h"

#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <concepts>
#include <ostream>
#include <type_traits>
#include <vector>

namespace ote::crypto {
namespace {

static_assert(!std::is_copy_constructible_v<SecretBytes> && !std::is_copy_assignable_v<SecretBytes>);
static_assert(std::is_nothrow_move_constructible_v<SecretBytes> && std::is_nothrow_move_assignable_v<SecretBytes>);
static_assert(!std::equality_comparable<SecretBytes>);
static_assert(!fmt::is_formattable<SecretBytes>::value);
template <class T>
concept Streamable = requires(std::ostream& out, const T& value) {
  out << value;
};
static_assert(!Streamable<SecretBytes>);

TEST_CASE("a new secret is all zero and as long as asked for") {
  SecretBytes secret(33);
  CHECK(secret.size() == 33);
  CHECK(std::ranges::all_of(secret.View(), [](std::uint8_t b) { return b == 0; }));
  CHECK(SecretBytes().empty());
  CHECK(SecretBytes(0).empty());
  CHECK(SecretBytes::CopyOf({}).empty());
  CHECK(SecretBytes::Random(0).empty());
}

TEST_CASE("moving a secret leaves nothing behind") {
  const Bytes content = {1, 2, 3, 4};
  SecretBytes a = SecretBytes::CopyOf(content);
  SecretBytes b = std::move(a);
  CHECK(a.empty());  // NOLINT(bugprone-use-after-move): that is what is tested
  CHECK(ConstantTimeEqual(b.View(), content));
  SecretBytes c = SecretBytes::CopyOf(Bytes{9});
  c = std::move(b);
  CHECK(b.empty());  // NOLINT(bugprone-use-after-move)
  CHECK(ConstantTimeEqual(c.View(), content));
  SecretBytes& same = c;
  c = std::move(same);
  CHECK(ConstantTimeEqual(c.View(), content));
}

TEST_CASE("two random secrets differ") {
  const SecretBytes a = SecretBytes::Random(32);
  const SecretBytes b = SecretBytes::Random(32);
  CHECK_FALSE(ConstantTimeEqual(a.View(), b.View()));
}

TEST_CASE("comparison in constant time looks at length and every byte") {
  const Bytes a(40, 7);
  CHECK(ConstantTimeEqual(a, a));
  CHECK(ConstantTimeEqual({}, {}));
  CHECK_FALSE(ConstantTimeEqual(a, ByteView(a).first(39)));
  for (std::size_t i = 0; i < a.size(); ++i) {
    Bytes b = a;
    b[i] ^= 1;
    CHECK_FALSE(ConstantTimeEqual(a, b));
  }
}

TEST_CASE("wiping overwrites with zero") {
  Bytes bytes(17, 0xaa);
  Wipe(bytes);
  CHECK(bytes == Bytes(17, 0));
  Wipe({});
}

TEST_CASE("a small secret is wiped where it stood, and the next one begins as zeros") {
  std::vector<SecretBytes> many;
  for (std::uint8_t i = 0; i < 100; ++i) many.push_back(SecretBytes::CopyOf(Bytes(1 + i, i)));
  for (std::uint8_t i = 0; i < 100; ++i) {
    CHECK(ConstantTimeEqual(many[i].View(), Bytes(std::size_t{1} + i, i)));  // none lies over another
  }
  const std::uint8_t* stood = nullptr;
  {
    const SecretBytes last = SecretBytes::CopyOf(Bytes(64, 0xaa));
    stood = last.View().data();
  }
  // Small secrets share pages, which stay.
  CHECK(std::all_of(stood, stood + 64, [](std::uint8_t b) { return b == 0; }));
  const SecretBytes next(128);
  CHECK(std::ranges::all_of(next.View(), [](std::uint8_t b) { return b == 0; }));
  CHECK(reinterpret_cast<std::uintptr_t>(next.View().data()) % 16 == 0);
}

TEST_CASE("more secrets than can be locked in memory are still served") {
  std::vector<SecretBytes> many;
  for (int i = 0; i < 4000; ++i) many.push_back(SecretBytes::Random(64));
  CHECK(many.back().size() == 64);
}

}  // namespace
}  // namespace ote::crypto
