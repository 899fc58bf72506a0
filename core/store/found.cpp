#include "core/store/found.h"

#include <fmt/format.h>

#include "core/base/ids.h"

namespace ote::store {
namespace {

// The root renews its own certificate; a long life means that a root which was switched off for years still starts.
constexpr std::int64_t kRootLife = 10LL * 365 * 24 * 3600 * 1000;

Result<crypto::SigningKey> AuthorityKey(const StateFolder& folder) {
  std::error_code ignored;
  if (std::filesystem::exists(folder.AuthorityKeyFile(), ignored))
    return crypto::LoadSigningKey(folder.AuthorityKeyFile());
  auto key = crypto::SigningKey::Generate();
  OTE_CHECK(crypto::SaveSigningKey(folder.AuthorityKeyFile(), key));
  return key;
}

}  // namespace

Result<Membership> FoundTree(const StateFolder& folder, const FoundOptions& options, UnixMillis now) {
  OTE_CHECK(CheckName("cluster", options.name));
  std::error_code ignored;
  if (std::filesystem::exists(folder.MemberFile(), ignored)) {
    OTE_TRY(auto held, folder.LoadMembership());
    if (held.role != crypto::Role::kRoot || held.name != options.name) {
      return Fail(ErrorId::kConflict,
                  fmt::format("{}: holds the membership of {} already", folder.path.string(), held.name),
                  "use another folder with --state");
    }
    return held;
  }
  OTE_CHECK(folder.Create());
  OTE_TRY(const auto authority, AuthorityKey(folder));
  OTE_TRY(const auto sign, folder.SignKey());
  OTE_TRY(const auto transport, folder.TransportKey());
  OTE_CHECK(folder.ControlKey());

  crypto::CertificateBody body;
  body.serial = BigId{1};
  body.name = options.name;
  body.role = crypto::Role::kRoot;
  body.sign_key = crypto::ToBytes(sign.Public().bytes);
  body.transport_key = crypto::ToBytes(transport.Public().bytes);
  body.not_before = now;
  body.not_after = now + kRootLife;
  body.authority = crypto::ToBytes(crypto::FingerprintOf(authority.Public()));

  Membership membership;
  membership.name = options.name;
  membership.role = crypto::Role::kRoot;
  membership.authority_key = crypto::ToBytes(authority.Public().bytes);
  membership.certificate = crypto::IssueCertificate(authority, body);
  membership.revocations = crypto::IssueRevocationList(authority, {0, now, {}, body.authority});
  membership.listen = options.listen;
  membership.advertise = options.advertise;
  membership.shim = options.shim;
  membership.settings = options.settings;
  membership.certificate_life_ms = options.certificate_life_ms;
  OTE_CHECK(folder.SaveMembership(membership));
  return membership;
}

}  // namespace ote::store
