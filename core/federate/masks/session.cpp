#include "core/federate/masks/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <set>

#include "crypto/secret.h"

namespace ote::federate {
namespace {

constexpr std::size_t kContext = 128;  // room for any of what is bound to a place

tl::unexpected<Error> Forged(std::string message) { return Fail(ErrorId::kMaskForged, std::move(message)); }

void Put(Bytes& out, std::uint64_t number) {
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<std::uint8_t>(number >> shift));
}
void Put(Bytes& out, ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }
void Put(Bytes& out, std::string_view text) {
  Put(out, AsBytes(text));
  out.push_back(0);
}

crypto::Digest DigestOfSecret(Bytes& all) {
  const crypto::Digest digest = crypto::DigestOf(all);
  crypto::Wipe(all);
  return digest;
}

Result<crypto::TransportPublic> PublicOf(const Bytes& bytes) {
  crypto::TransportPublic key;
  if (bytes.size() != key.bytes.size()) return Forged("a public key has 32 bytes");
  std::copy(bytes.begin(), bytes.end(), key.bytes.begin());
  return key;
}

// What makes a try one of its kind: also what everybody must have understood alike.
struct Terms {
  std::string run;
  std::int64_t round = 0;
  std::int64_t attempt = 0;
  api::MasksSpec spec;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("run", self.run);
    v("round", self.round);
    v("attempt", self.attempt);
    v("spec", self.spec);
  }
};

// Certificates that were found good, for the whole process: the same are shown in every round, and whether the
// authority signed these bytes does not change. Names, revocations and dates are looked at each time.
class KnownGood {
 public:
  static KnownGood& Get() {
    static KnownGood all;
    return all;
  }
  Result<crypto::CertificateBody> Check(const crypto::Certificate& certificate, const crypto::VerifyKey& authority) {
    Bytes shown(authority.bytes.begin(), authority.bytes.end());
    Put(shown, certificate.body.size());
    Put(shown, certificate.body);
    Put(shown, certificate.signature);
    const crypto::Digest digest = crypto::DigestOf(shown);
    {
      const std::lock_guard lock(mutex_);
      if (good_.count(digest) != 0) return FromCbor<crypto::CertificateBody>(certificate.body);
    }
    auto body = crypto::CheckCertificateSignature(certificate, authority);
    if (!body) return body;
    const std::lock_guard lock(mutex_);
    if (good_.size() >= kMost) good_.clear();
    good_.insert(digest);
    return body;
  }

 private:
  static constexpr std::size_t kMost = 2 * kMostMasked;
  std::mutex mutex_;
  std::set<crypto::Digest> good_;
};

}  // namespace

KeyCheck CertifiedBy(const crypto::VerifyKey& authority, std::vector<BigId> revoked) {
  std::sort(revoked.begin(), revoked.end());
  return [authority, revoked = std::move(revoked)](
             const std::string& name, const crypto::Certificate& certificate) -> Result<crypto::VerifyKey> {
    const auto body = KnownGood::Get().Check(certificate, authority);
    if (!body) return Forged(fmt::format("{}: {}", name, body.error().message));
    if (body->name != name) return Forged(fmt::format("{}: the certificate is that of {}", name, body->name));
    if (std::binary_search(revoked.begin(), revoked.end(), body->serial)) {
      return Forged(fmt::format("{}: the certificate is revoked", name));
    }
    return body->SignKey();
  };
}

MaskHead HeadOf(const crypto::VerifyKey& sign, ByteView body) {
  MaskHead head{};
  const crypto::Digest digest = crypto::DigestOf(body);
  std::copy(sign.bytes.begin(), sign.bytes.end(), head.begin());
  std::copy(digest.bytes.begin(), digest.bytes.end(), head.begin() + sign.bytes.size());
  return head;
}

api::MaskKeys SignMaskKeys(const api::MaskKeysBody& body, const crypto::SigningKey& key,
                           const crypto::Certificate& certificate) {
  api::MaskKeys keys;
  keys.body = ToCbor(body);
  const crypto::Signature signature = key.Sign(kMaskKeysDomain, keys.body);
  keys.signature.assign(signature.begin(), signature.end());
  keys.certificate = certificate;
  return keys;
}

Result<MaskPeer> CheckMaskKeys(const api::MaskKeys& keys, const MaskTry& which, const KeyCheck& check) {
  const auto body = FromCbor<api::MaskKeysBody>(keys.body);
  if (!body) return Forged("keys for masks cannot be read: " + body.error().message);
  OTE_TRY(const crypto::VerifyKey sign, check(body->name, keys.certificate));
  if (!crypto::Verify(sign, kMaskKeysDomain, keys.body, keys.signature)) {
    return Forged(fmt::format("{}: it has not signed these keys for masks", body->name));
  }
  if (body->run != which.run || body->round != which.round || body->attempt != which.attempt) {
    return Forged(fmt::format("{}: its keys are for run {}, round {}, try {}", body->name, body->run, body->round,
                              body->attempt));
  }
  OTE_TRY(const auto seal, PublicOf(body->seal_key));
  OTE_TRY(const auto mask, PublicOf(body->mask_key));
  return MaskPeer{body->name, sign, seal, mask};
}

Result<MaskSession> MaskSession::Make(const MaskTry& which, ByteView heads) {
  if (heads.size() % kMaskHead != 0) return Forged("a roster of masks is cut short");
  const std::size_t sites = heads.size() / kMaskHead;
  OTE_TRY(const MaskPlan plan, PlanMasks(static_cast<std::int64_t>(sites), which.spec));
  std::vector<crypto::VerifyKey> signers(sites);
  for (std::size_t i = 0; i < sites; ++i) {
    const ByteView head = heads.subspan(i * kMaskHead, kMaskHead);
    std::copy_n(head.begin(), signers[i].bytes.size(), signers[i].bytes.begin());
  }
  std::sort(signers.begin(), signers.end());
  if (std::adjacent_find(signers.begin(), signers.end()) != signers.end()) {
    return Forged("two sites of a roster are one");
  }
  Bytes all;
  Put(all, std::string_view("ote-mask-session-v1"));
  Put(all, ToCbor(Terms{which.run, which.round, which.attempt, which.spec}));
  Put(all, heads);
  return MaskSession(plan, crypto::DigestOf(all), Bytes(heads.begin(), heads.end()));
}

crypto::VerifyKey MaskSession::Signer(std::size_t site) const {
  crypto::VerifyKey key;
  const ByteView head = Head(site);
  std::copy_n(head.begin(), key.bytes.size(), key.bytes.begin());
  return key;
}

Bytes MaskSession::SealContext(std::size_t from, std::size_t to) const {
  Bytes out;
  out.reserve(kContext);
  Put(out, std::string_view("ote-mask-share-v1"));
  Put(out, id_.bytes);
  Put(out, from);
  Put(out, to);
  return out;
}

Bytes MaskSession::PairContext(MaskUse use) const {
  Bytes out;
  out.reserve(kContext);
  Put(out, std::string_view(use == MaskUse::kSeal ? "ote-mask-seal-v1" : "ote-mask-pair-v1"));
  Put(out, id_.bytes);
  return out;
}

crypto::Digest MaskSession::ShareDigest(std::size_t from, std::size_t to, bool key, ByteView share) const {
  Bytes out;
  out.reserve(kContext);
  Put(out, std::string_view(key ? "ote-mask-key-share-v1" : "ote-mask-seed-share-v1"));
  Put(out, id_.bytes);
  Put(out, from);
  Put(out, to);
  Put(out, share);
  return DigestOfSecret(out);
}

crypto::Digest MaskSession::SeedDigest(std::size_t of, ByteView seed) const {
  Bytes out;
  out.reserve(kContext);
  Put(out, std::string_view("ote-mask-seed-v1"));
  Put(out, id_.bytes);
  Put(out, of);
  Put(out, seed);
  return DigestOfSecret(out);
}

Bytes MaskSession::ConsentMessage(ByteView survivors) const {
  Bytes out(id_.bytes.begin(), id_.bytes.end());
  Put(out, survivors);
  return out;
}

Bytes PackPlaces(const std::vector<bool>& places) {
  Bytes out((places.size() + 7) / 8);
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i]) out[i / 8] = static_cast<std::uint8_t>(out[i / 8] | (1U << (i % 8)));
  }
  return out;
}

Result<std::vector<bool>> UnpackPlaces(ByteView bytes, std::size_t sites) {
  if (bytes.size() != (sites + 7) / 8) return Fail(ErrorId::kMalformed, "a list of sites has the wrong length");
  std::vector<bool> out(sites);
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    const bool set = ((bytes[i / 8] >> (i % 8)) & 1U) != 0;
    if (i < sites) {
      out[i] = set;
    } else if (set) {
      return Fail(ErrorId::kMalformed, "a list of sites names one that is not there");
    }
  }
  return out;
}

}  // namespace ote::federate
