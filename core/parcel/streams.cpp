#include "core/parcel/streams.h"

#include <algorithm>

#include "core/base/codec.h"

namespace ote::parcel {
namespace {

Bytes UpdateContext(const api::UpdateOffer& offer, const std::string& site) {
  return DumpCbor(
      Json::array({"ote-sealed-update-v1", offer.run, offer.round, NameOf(offer.kind), site, offer.digest}));
}
Bytes ModelContext(const std::string& run, const std::string& digest) {
  return DumpCbor(Json::array({"ote-model-v1", run, digest}));
}
Bytes KeyContext(const std::string& run, const std::string& site, const api::SealedCopy& copy) {
  return DumpCbor(Json::array({"ote-model-key-v1", run, site, copy.digest}));
}

}  // namespace

crypto::SecretBytes UpdateSecret(const crypto::SigningKey& own) {
  return crypto::DeriveKey(own.Seed(), "ote-update-seal");
}

Result<crypto::Sealer> SealerOfUpdate(const api::UpdateOffer& offer, const std::string& site, ByteView answer_key,
                                      const crypto::SecretBytes& secret) {
  OTE_TRY(const auto digest, crypto::Digest::Parse(offer.digest));
  crypto::TransportPublic to;
  if (answer_key.size() != to.bytes.size()) return Fail(ErrorId::kSealBroken, "the run's key is none");
  std::copy(answer_key.begin(), answer_key.end(), to.bytes.begin());
  return crypto::Sealer::Repeatable(to, UpdateContext(offer, site), secret.View(), digest);
}

Result<crypto::Opener> OpenerOfUpdate(const api::UpdateOffer& offer, const std::string& site,
                                      const crypto::TransportKey& answer_key, ByteView header) {
  return crypto::Opener::For(answer_key, UpdateContext(offer, site), header);
}

Result<crypto::SecretBytes> KeyOfUpdate(const api::UpdateOffer& offer, const std::string& site,
                                        const crypto::TransportKey& answer_key, ByteView header) {
  return crypto::StreamKeyOf(answer_key, UpdateContext(offer, site), header);
}

crypto::Sealer SealerOfModel(const std::string& run, const std::string& digest, const crypto::SecretBytes& key) {
  return crypto::Sealer::WithKey(key.View(), ModelContext(run, digest));
}

Result<crypto::Opener> OpenerOfModel(const std::string& run, const std::string& digest, const crypto::SecretBytes& key,
                                     ByteView header) {
  return crypto::Opener::WithKey(key.View(), ModelContext(run, digest), header);
}

Result<Bytes> WrapKey(const crypto::SecretBytes& key, const std::string& run, const std::string& site,
                      const api::SealedCopy& copy, const crypto::TransportPublic& to) {
  return crypto::Seal(to, KeyContext(run, site, copy), key.View());
}

Result<crypto::SecretBytes> UnwrapKey(const api::LockedCopy& locked, const std::string& run, const std::string& site,
                                      const crypto::TransportKey& key) {
  auto opened = crypto::OpenSealed(key, KeyContext(run, site, locked.copy), locked.key);
  if (!opened) return Fail(std::move(opened).error().Context("the key of a sealed model"));
  auto secret = crypto::SecretBytes::CopyOf(*opened);
  crypto::Wipe(*opened);
  if (secret.size() != kContentKey) return Fail(ErrorId::kSealBroken, "the key of a sealed model has the wrong size");
  return secret;
}

}  // namespace ote::parcel
