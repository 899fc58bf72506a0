#include "core/parcel/streams.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace ote;

namespace {

api::UpdateOffer OfferOf(const Bytes& update) {
  api::UpdateOffer offer;
  offer.run = "run-7k2m9q4x0d";
  offer.round = 3;
  offer.digest = crypto::DigestOf(update).ToString();
  offer.size = std::ssize(update);
  return offer;
}
Bytes Sealed(crypto::Sealer sealer, const Bytes& plain) {
  Bytes out(sealer.Header().begin(), sealer.Header().end());
  out.resize(out.size() + plain.size() + crypto::kSealedTag);
  sealer.Next(plain, true, std::span(out).subspan(crypto::kSealedHeader));
  return out;
}
bool Opens(Result<crypto::Opener> opener, const Bytes& sealed, const Bytes& plain) {
  Bytes out(plain.size());
  return opener && opener->Open(0, true, ByteView(sealed).subspan(crypto::kSealedHeader), out) && out == plain;
}

}  // namespace

TEST_CASE("the same update of the same site is the same sealed stream, another one is not") {
  const auto run = crypto::TransportKey::Generate();
  const auto secret = parcel::UpdateSecret(crypto::SigningKey::Generate());
  const Bytes update(1000, 7);
  const auto seal = [&](const api::UpdateOffer& offer, const std::string& site, const crypto::SecretBytes& with) {
    return Sealed(parcel::SealerOfUpdate(offer, site, run.Public().bytes, with).value(), update);
  };
  const auto offer = OfferOf(update);
  const auto first = seal(offer, "clinic-a", secret);
  CHECK(seal(offer, "clinic-a", secret) == first);
  CHECK(seal(offer, "clinic-b", secret) != first);
  CHECK(seal(offer, "clinic-a", parcel::UpdateSecret(crypto::SigningKey::Generate())) != first);
  auto later = offer;
  later.round = 4;
  CHECK(seal(later, "clinic-a", secret) != first);
}

TEST_CASE("a sealed update opens for its run, round, kind, site and digest alone") {
  const auto run = crypto::TransportKey::Generate();
  const auto secret = parcel::UpdateSecret(crypto::SigningKey::Generate());
  const Bytes update(1000, 7);
  const auto offer = OfferOf(update);
  const auto sealed = Sealed(parcel::SealerOfUpdate(offer, "clinic-a", run.Public().bytes, secret).value(), update);
  const auto opens = [&](const api::UpdateOffer& as, const std::string& site, const crypto::TransportKey& key) {
    return Opens(parcel::OpenerOfUpdate(as, site, key, ByteView(sealed).first(crypto::kSealedHeader)), sealed, update);
  };
  CHECK(opens(offer, "clinic-a", run));
  CHECK_FALSE(opens(offer, "clinic-b", run));
  CHECK_FALSE(opens(offer, "clinic-a", crypto::TransportKey::Generate()));
  auto other = offer;
  other.run = "run-0000000000";
  CHECK_FALSE(opens(other, "clinic-a", run));
  other = offer;
  other.round = 2;
  CHECK_FALSE(opens(other, "clinic-a", run));
  other = offer;
  other.kind = api::TaskKind::kEvaluate;
  CHECK_FALSE(opens(other, "clinic-a", run));
  other = offer;
  other.digest = crypto::DigestOf(AsBytes("another")).ToString();
  CHECK_FALSE(opens(other, "clinic-a", run));
}

TEST_CASE("the key of a sealed model opens for the site that it was wrapped for") {
  const auto site = crypto::TransportKey::Generate();
  const Bytes model(500, 9);
  const auto digest = crypto::DigestOf(model).ToString();
  const auto key = crypto::SecretBytes::Random(parcel::kContentKey);
  const auto sealed = Sealed(parcel::SealerOfModel("run-1", digest, key), model);
  api::LockedCopy locked;
  locked.copy = {crypto::DigestOf(sealed).ToString(), std::ssize(sealed)};
  locked.key = parcel::WrapKey(key, "run-1", "clinic-a", locked.copy, site.Public()).value();
  const auto unwrapped = parcel::UnwrapKey(locked, "run-1", "clinic-a", site);
  REQUIRE(unwrapped);
  const auto header = ByteView(sealed).first(crypto::kSealedHeader);
  CHECK(Opens(parcel::OpenerOfModel("run-1", digest, *unwrapped, header), sealed, model));
  CHECK_FALSE(Opens(parcel::OpenerOfModel("run-2", digest, *unwrapped, header), sealed, model));
  CHECK(parcel::UnwrapKey(locked, "run-1", "clinic-b", site).error().id == ErrorId::kSealBroken);
  CHECK(parcel::UnwrapKey(locked, "run-1", "clinic-a", crypto::TransportKey::Generate()).error().id ==
        ErrorId::kSealBroken);
  locked.key.pop_back();
  CHECK(parcel::UnwrapKey(locked, "run-1", "clinic-a", site).error().id == ErrorId::kSealBroken);
}
