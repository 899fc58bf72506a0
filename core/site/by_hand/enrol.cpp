// Requests and grants.
#include <fmt/format.h>

#include <algorithm>

#include "core/base/ids.h"
#include "core/base/version.h"
#include "core/bundle/bodies.h"
#include "core/bundle/marks.h"
#include "core/bundle/trust.h"
#include "core/site/by_hand/hand_site.h"
#include "core/site/dataset_registry.h"

namespace ote::site {
Result<HandSite::Asked> HandSite::MakeRequest(const std::string& name, const api::Labels& labels,
                                              const bundle::Place& place) {
  if (member_ && member_->role == crypto::Role::kRoot) {
    return Fail(ErrorId::kAlreadyMember, fmt::format("{}: is the root {}", folder_.path.string(), member_->name),
                "use another --state");
  }
  OTE_TRY(auto before, store_->Get<HandRequest>("own"));
  OTE_TRY(const auto known, Name());
  if (!known.empty() && !name.empty() && name != known) {
    return Fail(ErrorId::kConflict,
                fmt::format("{}: is, or asked to be, {}, and not {}", folder_.path.string(), known, name),
                "use another --state for another cluster");
  }
  OTE_TRY(const auto sign, folder_.SignKey());
  OTE_TRY(const auto transport, folder_.TransportKey());
  OTE_CHECK(folder_.ControlKey());

  bundle::RequestBody body;
  body.labels = labels.empty() && before ? before->labels : labels;
  body.transport_key = crypto::ToBytes(transport.Public().bytes);
  body.version = Version();
  body.platform = Platform();
  OTE_TRY(body.datasets, Summaries(*store_));
  HandRequest record = before.value_or(HandRequest{});
  record.name = known.empty() ? name : known;
  record.labels = body.labels;
  const auto said = crypto::DigestOf(ToCbor(body)).ToString();
  if (said != record.body) {
    record.body = said;
    record.created = clock_->WallNow();
    OTE_TRY(record.sequence, NextSent());
  }

  bundle::Package package;
  auto& header = package.header;
  header.kind = bundle::kind::kRequest;
  header.issuer = record.name;
  header.stream = bundle::kEnrolStream;
  header.sequence = record.sequence;
  header.created = record.created;
  header.version = Version();
  package.body = ToJson(body);
  Asked asked{record.name, crypto::ToText(crypto::FingerprintOf(sign.Public())), body.datasets.size(), {}};
  OTE_TRY(asked.file,
          bundle::Pack(package, sign, place, [&](const std::string& digest) { return KeepAsked(record, digest); }));
  return asked;
}

Result<void> HandSite::KeepAsked(HandRequest record, const std::string& digest) {
  if (std::find(record.asked.begin(), record.asked.end(), digest) == record.asked.end()) {
    record.asked.push_back(digest);
    if (record.asked.size() > HandRequest::kMostAsked) record.asked.erase(record.asked.begin());
  }
  return store_->Put(record);
}

Result<HandSite::Asked> HandSite::MakeRotation(const bundle::Place& place) {
  if (!member_) {
    return Fail(ErrorId::kNotEnrolled, fmt::format("{}: holds no membership", folder_.path.string()),
                "ote cluster join --grant FILE --fingerprint FINGERPRINT");
  }
  OTE_TRY(auto keys, Keys());
  OTE_CHECK(store::MakeNextKeys(folder_, keys));
  OTE_TRY(auto before, store_->Get<HandRotation>("own"));
  HandRotation rotation = before.value_or(HandRotation{});
  OTE_TRY(const auto own, member_->Own());
  api::RotateBody next;
  next.serial = own.serial;
  next.sign_key = crypto::ToBytes(keys.next_sign->Public().bytes);
  next.transport_key = crypto::ToBytes(keys.next_transport->Public().bytes);
  const auto known = FromCbor<api::RotateBody>(rotation.rotate.body);
  const bool same = known && known->serial == next.serial && known->sign_key == next.sign_key &&
                    known->transport_key == next.transport_key;
  if (!same) {
    const auto bytes = [](const crypto::Signature& signature) { return Bytes(signature.begin(), signature.end()); };
    next.now = clock_->WallNow();
    next.nonce = BigId{RandomU64()};
    rotation.rotate.body = ToCbor(next);
    rotation.rotate.signature = bytes(keys.sign.Sign("ote-rotate-v1", rotation.rotate.body));
    rotation.rotate.accepted = bytes(keys.next_sign->Sign("ote-rotate-accept-v1", rotation.rotate.body));
  }
  bundle::RequestBody body;
  body.rotate = rotation.rotate;
  body.transport_key = next.transport_key;
  body.version = Version();
  body.platform = Platform();
  OTE_TRY(body.datasets, Summaries(*store_));
  const auto said = crypto::DigestOf(ToCbor(body)).ToString();
  if (said != rotation.body) {
    rotation.body = said;
    rotation.created = clock_->WallNow();
    OTE_TRY(rotation.sequence, NextSent());
  }
  OTE_CHECK(store_->Put(rotation));

  OTE_TRY(auto request, store_->Get<HandRequest>("own"));
  HandRequest record = request.value_or(HandRequest{});
  record.name = member_->name;
  bundle::Package package;
  auto& header = package.header;
  header.kind = bundle::kind::kRequest;
  header.issuer = member_->name;
  header.stream = bundle::kEnrolStream;
  header.sequence = rotation.sequence;
  header.created = rotation.created;
  header.version = Version();
  package.body = ToJson(body);
  Asked asked{member_->name, crypto::ToText(crypto::FingerprintOf(keys.next_sign->Public())), body.datasets.size(), {}};
  OTE_TRY(asked.file, bundle::Pack(package, *keys.next_sign, place,
                                   [&](const std::string& digest) { return KeepAsked(record, digest); }));
  return asked;
}

Result<HandSite::Granted> HandSite::TakeGrant(bundle::Bundle& grant,
                                              const std::optional<crypto::Fingerprint>& fingerprint,
                                              std::optional<UnixMillis> dates, bool dry_run) {
  const auto& header = grant.About();
  OTE_CHECK(bundle::CheckKind(header, bundle::kind::kGrant));
  OTE_TRY(const auto name, Name());
  if (name.empty()) {
    return Fail(ErrorId::kNotEnrolled, fmt::format("{}: asked for nothing yet", folder_.path.string()),
                "ote cluster join --offline --name NAME -o FILE");
  }
  OTE_TRY(auto keys, Keys());
  const bool rotates = keys.next_sign && keys.next_transport &&
                       header.receiver_key == crypto::ToBytes(keys.next_transport->Public().bytes);
  const auto& sign = rotates ? *keys.next_sign : keys.sign;
  const auto& transport = rotates ? *keys.next_transport : keys.transport;
  OTE_CHECK(bundle::CheckReceiver(header, name, transport.Public()));
  OTE_TRY(const auto opened, grant.OpenManifest(&transport));
  OTE_TRY(const auto body, bundle::ReadBody<bundle::GrantBody>(opened.first.body));

  crypto::VerifyKey authority;
  if (body.authority_key.size() != authority.bytes.size()) {
    return Fail(ErrorId::kBundleAltered, "the grant holds no key of an authority");
  }
  std::copy(body.authority_key.begin(), body.authority_key.end(), authority.bytes.begin());
  const auto print = crypto::FingerprintOf(authority);
  // The authority may have handed over since the one whose fingerprint is known.
  const auto leads_here = [&](const crypto::Fingerprint& from) -> Result<bool> {
    if (from == print) return true;
    if (crypto::SuccessionOf(header.successions, from) == header.successions.size()) return false;
    OTE_TRY(const auto end, crypto::FollowSuccession(header.successions, from));
    return end == authority;
  };
  if (member_) {
    OTE_TRY(const bool ours, leads_here(crypto::FingerprintOf(member_->AuthorityKey())));
    if (!ours) {
      return Fail(ErrorId::kAlreadyMember,
                  fmt::format("{}: is {} of another root", folder_.path.string(), member_->name),
                  "use another --state");
    }
  }
  if (fingerprint) {
    OTE_TRY(const bool meant, leads_here(*fingerprint));
    if (!meant) {
      return Fail(ErrorId::kFingerprintWrong,
                  fmt::format("the grant is of an authority with fingerprint {}, and {} was given",
                              crypto::ToText(print), crypto::ToText(*fingerprint)));
    }
  } else if (!member_) {
    return Fail(
        ErrorId::kUsage,
        fmt::format("a grant of an authority that is not known here, with fingerprint {}", crypto::ToText(print)),
        "compare it with the one that the root tells, and give it: --fingerprint FINGERPRINT");
  }
  const auto known = member_ ? member_->revocations : std::nullopt;
  OTE_TRY(const auto issuer, bundle::CheckIssuer(header, authority, known, dates));
  if (issuer.role != crypto::Role::kRoot) {
    return Fail(ErrorId::kBundleUntrusted, fmt::format("the grant is signed by {}, which is not a root", issuer.name));
  }
  auto own = crypto::CheckCertificateSignature(body.certificate, authority);
  if (!own) return Fail(std::move(own).error().Context("the certificate in the grant"));
  if (own->name != name || own->SignKey() != sign.Public() || own->Transport() != transport.Public()) {
    return Fail(ErrorId::kBundleMixed, "the certificate in the grant is for another name or another key");
  }
  OTE_TRY(const auto request, store_->Get<HandRequest>("own"));
  if (!request || std::find(request->asked.begin(), request->asked.end(), header.answers) == request->asked.end()) {
    return Fail(ErrorId::kBundleMixed, "the grant answers a request that was not written here",
                "ote cluster join --offline -o FILE writes the present one");
  }
  const bundle::Checked checked{header, grant.Digest()};
  OTE_TRY(const auto seen, bundle::CheckMark(*store_, checked));

  Granted granted;
  granted.already = seen == bundle::Seen::kBefore && member_.has_value();
  granted.member = member_.value_or(store::Membership{});
  granted.member.name = name;
  granted.member.role = own->role;
  granted.member.authority_key = body.authority_key;
  granted.member.successions = header.successions;
  granted.member.certificate = body.certificate;
  granted.member.settings = body.settings;
  OTE_TRY(const auto newer, bundle::NewerRevocations(header, authority, known));
  if (newer) granted.member.revocations = newer;
  if (granted.member.revocations) {
    OTE_TRY(const auto list, crypto::CheckRevocationList(*granted.member.revocations, authority, 0));
    if (list.Contains(own->serial)) {
      return Fail(ErrorId::kRevoked, fmt::format("{}: the certificate in the grant was revoked since", name),
                  "write a new request: ote cluster join --offline -o FILE");
    }
  }
  if (dry_run || granted.already) return granted;
  // The mark first: a membership without it could be put back to an older one.
  OTE_CHECK(bundle::PutMark(*store_, checked));
  OTE_CHECK(folder_.SaveMembership(granted.member));
  member_ = granted.member;
  if (rotates) {
    // The change has happened; what is left of the old keys goes when the folder is opened next, if not now.
    OTE_CHECK(store::TakeNextKeys(folder_, keys));
    OTE_CHECK(store_->Remove<HandRotation>("own"));
  }
  return granted;
}

}  // namespace ote::site
