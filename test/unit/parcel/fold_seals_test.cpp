#include "core/parcel/fold_seals.h"

#include <catch2/catch.hpp>

#include "core/base/codec.h"
#include "crypto/digest.h"

namespace ote::parcel {
namespace {

api::FoldWork Work() {
  api::FoldWork work{"run-1", 3, 10, 30, 1000, Bytes(32, 7), {}};
  work.size = 40;
  for (const char* site : {"clinic-a", "clinic-b"}) {
    const auto digest = crypto::DigestOf(AsBytes(site)).ToString();
    const auto size = static_cast<std::int64_t>(crypto::SealedSize(40));
    work.items.push_back({site, {digest, size}, digest, 25, Bytes(32, 1)});
  }
  return work;
}

void CheckRefused(const api::FoldWork& work, const crypto::TransportKey& key) {
  const auto request = SealWork(work, "north", key.Public());
  REQUIRE(request);
  const auto opened = OpenWork(*request, "north", key);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().id == ErrorId::kMalformed);
}

}  // namespace

TEST_CASE("the updates that a relay is to fold are told to that relay alone") {
  const auto key = crypto::TransportKey::Generate();
  const auto request = SealWork(Work(), "north", key.Public()).value();
  const auto opened = OpenWork(request, "north", key);
  REQUIRE(opened);
  CHECK(ToCbor(*opened) == ToCbor(Work()));
  CHECK(OpenWork(request, "south", key).error().id == ErrorId::kSealBroken);
  CHECK(OpenWork(request, "north", crypto::TransportKey::Generate()).error().id == ErrorId::kSealBroken);
  auto other = request;
  other.round = 4;
  CHECK(OpenWork(other, "north", key).error().id == ErrorId::kSealBroken);
  CHECK_FALSE(OpenWork({"run-1", 3, {}, {}}, "north", key));
}

TEST_CASE("updates to fold that do not hold together are refused") {
  const auto key = crypto::TransportKey::Generate();
  auto work = Work();
  work.items[1].site = "clinic-a";
  CheckRefused(work, key);
  work = Work();
  work.items[0].key.pop_back();
  CheckRefused(work, key);
  work = Work();
  work.items[0].weight = 0;
  CheckRefused(work, key);
  work = Work();
  work.items[0].digest = "none";
  CheckRefused(work, key);
  work = Work();
  work.vectors = 3;  // of ten values
  CheckRefused(work, key);
  work = Work();
  work.size = 0;
  CheckRefused(work, key);
  work = Work();
  work.compression = {api::CompressionKind::kQuantize, 5, 0.01};
  const auto request = SealWork(work, "north", key.Public());
  CHECK(OpenWork(*request, "north", key).error().id == ErrorId::kRunInvalid);
  work = Work();
  ++work.items[0].copy.size;
  CheckRefused(work, key);
  work = Work();
  work.count = 0;
  CheckRefused(work, key);
}

TEST_CASE("masked updates to fold have no grid, and a relay is told no rows of theirs") {
  const auto key = crypto::TransportKey::Generate();
  auto masked = Work();
  masked.masked = true;
  masked.exponent = masked.capacity = 0;
  for (auto& item : masked.items) item.weight = 1;
  const auto opened = OpenWork(SealWork(masked, "north", key.Public()).value(), "north", key);
  REQUIRE(opened);
  CHECK(ToCbor(*opened) == ToCbor(masked));
  auto work = masked;
  work.items[1].weight = 2;
  CheckRefused(work, key);
  work = masked;
  work.capacity = 1000;
  CheckRefused(work, key);
  work = masked;
  work.masked = false;
  CheckRefused(work, key);
}

TEST_CASE("a sum opens for its run, round and relay alone") {
  const auto key = crypto::TransportKey::Generate();
  auto work = Work();
  work.answer_key.assign(key.Public().bytes.begin(), key.Public().bytes.end());
  auto sealer = SealerOfSum(work, "north", "digest").value();
  const Bytes plain(10, 1);
  Bytes sealed(plain.size() + crypto::kSealedTag);
  sealer.Next(plain, true, sealed);
  const Bytes header(sealer.Header().begin(), sealer.Header().end());
  Bytes out(plain.size());
  const auto opens = [&](const std::string& run, std::int64_t round, const std::string& relay, const std::string& of) {
    return OpenerOfSum(run, round, relay, of, key, header).value().Open(0, true, sealed, out).has_value();
  };
  CHECK(opens("run-1", 3, "north", "digest"));
  CHECK_FALSE(opens("run-2", 3, "north", "digest"));
  CHECK_FALSE(opens("run-1", 4, "north", "digest"));
  CHECK_FALSE(opens("run-1", 3, "south", "digest"));
  CHECK_FALSE(opens("run-1", 3, "north", "another"));
}

}  // namespace ote::parcel
