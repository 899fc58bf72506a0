#include "core/bundle/header.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/ids.h"
#include "crypto/sealed.h"

namespace ote::bundle {
namespace {

constexpr std::size_t kMostText = 256;
constexpr std::size_t kDigest = 32;

tl::unexpected<Error> Bad(const std::string& why) {
  return Fail(ErrorId::kBundleAltered, "the header of the bundle: " + why);
}

Result<void> CheckForm(const Header& header) {
  OTE_CHECK(CheckName("kind", header.kind));
  OTE_CHECK(CheckName("issuer", header.issuer));
  if (!header.receiver.empty()) OTE_CHECK(CheckName("receiver", header.receiver));
  for (const auto* text : {&header.stream, &header.run, &header.step, &header.answers, &header.version}) {
    if (text->size() > kMostText) return Bad("a text in it is too long");
  }
  const auto key = [](const Bytes& bytes) { return bytes.empty() || bytes.size() == kDigest; };
  if (header.sign_key.size() != kDigest || !key(header.receiver_key) || !key(header.authority)) {
    return Bad("a key in it has not the length of one");
  }
  if (header.nonce.size() > kDigest || header.sequence < 0 || header.round < 0) return Bad("a number is out of range");
  for (const auto size : {header.plain_size, header.packed_size}) {
    if (size < 0 || size > kLargest) return Bad("a size is out of range");
  }
  const auto chunks = (header.ContentSize() + kChunk - 1) / kChunk;
  if (header.chunks.size() != chunks * kDigest) return Bad("it has not as many digests as the content has chunks");
  if (!crypto::Digest::Parse(header.manifest)) return Bad("the digest of the manifest cannot be read");
  return {};
}

}  // namespace

std::uint64_t Header::ContentSize() const noexcept {
  const auto packed = static_cast<std::uint64_t>(packed_size);
  return Sealed() ? crypto::SealedSize(packed) : packed;
}

SignedHeader Sign(const crypto::SigningKey& key, const Header& header) {
  SignedHeader out;
  out.body = ToCbor(header);
  const auto signature = key.Sign(kDomain, out.body);
  out.signature.assign(signature.begin(), signature.end());
  return out;
}

Result<Checked> CheckHeader(const SignedHeader& signed_header) {
  Checked out;
  auto json = ParseCbor(signed_header.body);
  if (!json) return Bad(json.error().message);
  // The format first: another one may have other fields.
  if (json->is_object() && json->contains("format") && (*json)["format"].is_number_integer() &&
      (*json)["format"] > kFormat) {
    return Fail(ErrorId::kBundleNewer,
                fmt::format("the bundle has format {}, and this ote reads {}", (*json)["format"].dump(), kFormat));
  }
  auto header = FromWire<Header>(*json);
  if (!header) return Bad(header.error().message);
  out.header = std::move(*header);
  if (const auto form = CheckForm(out.header); !form) {
    if (form.error().id == ErrorId::kBundleAltered) return Fail(form.error());
    return Bad(form.error().message);
  }
  crypto::VerifyKey key;
  std::copy(out.header.sign_key.begin(), out.header.sign_key.end(), key.bytes.begin());
  if (const auto held = crypto::Verify(key, kDomain, signed_header.body, signed_header.signature); !held) {
    return Fail(ErrorId::kSignatureInvalid, fmt::format("the header of the bundle: its signature does not hold"),
                "ask for the file again");
  }
  out.digest = crypto::DigestOf(signed_header.body).ToString();
  return out;
}

}  // namespace ote::bundle
