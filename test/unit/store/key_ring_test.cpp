#include "core/store/key_ring.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "core/base/files.h"
#include "test/unit/store/scratch.h"

using namespace ote;
using namespace ote::store;

namespace {

// A state folder with keys and next keys, and what a certificate for either says of them.
struct Ring {
  test::Scratch scratch;
  StateFolder folder{scratch.path / "state"};
  crypto::CertificateBody present;
  crypto::CertificateBody changed;

  Ring() {
    REQUIRE(folder.Create());
    present = BodyFor(folder.SignKey().value(), folder.TransportKey().value());
    auto keys = LoadMemberKeys(folder, present).value();
    REQUIRE(MakeNextKeys(folder, keys));
    changed = BodyFor(*keys.next_sign, *keys.next_transport);
  }
  static crypto::CertificateBody BodyFor(const crypto::SigningKey& sign, const crypto::TransportKey& transport) {
    crypto::CertificateBody body;
    body.sign_key = crypto::ToBytes(sign.Public().bytes);
    body.transport_key = crypto::ToBytes(transport.Public().bytes);
    return body;
  }
  bool Settled() const {
    return !std::filesystem::exists(folder.NextSignKeyFile()) &&
           !std::filesystem::exists(folder.NextTransportKeyFile());
  }
};

}  // namespace

TEST_CASE("while the membership names the present keys, the next ones wait beside them") {
  Ring ring;
  const auto keys = LoadMemberKeys(ring.folder, ring.present).value();
  CHECK(keys.sign.Public() == ring.present.SignKey());
  CHECK(keys.next_sign->Public() == ring.changed.SignKey());
  CHECK(keys.next_transport->Public() == ring.changed.Transport());
  CHECK_FALSE(ring.Settled());
}

TEST_CASE("once the membership names the next keys, every crash on the way to their place is made good") {
  Ring ring;
  SECTION("nothing was moved") {}
  SECTION("the old key is overwritten") { REQUIRE(WriteFileAtomic(ring.folder.SignKeyFile(), Bytes(64, 0), 0600)); }
  SECTION("the old key is gone") { std::filesystem::remove(ring.folder.SignKeyFile()); }
  SECTION("one of two is in its place") {
    REQUIRE(crypto::ReplaceKeyFile(ring.folder.SignKeyFile(), ring.folder.NextSignKeyFile()));
  }
  const auto keys = LoadMemberKeys(ring.folder, ring.changed).value();
  CHECK(keys.sign.Public() == ring.changed.SignKey());
  CHECK(keys.transport.Public() == ring.changed.Transport());
  CHECK_FALSE(keys.next_sign);
  CHECK(ring.Settled());
  CHECK(ring.folder.SignKey().value().Public() == ring.changed.SignKey());
}

TEST_CASE("a crash while the next keys were made leaves the present ones in force") {
  Ring ring;
  SECTION("one of two was made") { std::filesystem::remove(ring.folder.NextTransportKeyFile()); }
  SECTION("one is damaged") { REQUIRE(WriteFileAtomic(ring.folder.NextTransportKeyFile(), AsBytes("ote"), 0600)); }
  const auto keys = LoadMemberKeys(ring.folder, ring.present).value();
  CHECK(keys.transport.Public() == ring.present.Transport());
  CHECK(keys.next_sign);
  CHECK_FALSE(keys.next_transport);
}

TEST_CASE("a key that the membership does not name is refused") {
  Ring ring;
  auto keys = LoadMemberKeys(ring.folder, ring.changed).value();
  CHECK(LoadMemberKeys(ring.folder, ring.present).error().id == ErrorId::kKeysMismatch);
}

TEST_CASE("a next key that others can read is refused") {
  Ring ring;
  std::filesystem::permissions(ring.folder.NextSignKeyFile(), std::filesystem::perms(0644));
  CHECK(LoadMemberKeys(ring.folder, ring.present).error().id == ErrorId::kKeyFileExposed);
}

TEST_CASE("a change of keys that is given up leaves the present ones alone") {
  Ring ring;
  auto keys = LoadMemberKeys(ring.folder, ring.present).value();
  REQUIRE(DropNextKeys(ring.folder, keys));
  CHECK(ring.Settled());
  CHECK(LoadMemberKeys(ring.folder, ring.present).has_value());
}
