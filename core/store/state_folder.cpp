#include "core/store/state_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/files.h"

namespace ote::store {
namespace {

// Loads the key at `file`, or makes one and saves it.
template <class Key, class Load, class Save>
Result<Key> LoadOrMake(const std::filesystem::path& file, Load load, Save save) {
  std::error_code ignored;
  if (std::filesystem::exists(file, ignored)) return load(file);
  Key key = Key::Generate();
  OTE_CHECK(save(file, key));
  return key;
}

}  // namespace

crypto::VerifyKey Membership::AuthorityKey() const { return {crypto::AsKey(authority_key)}; }

Result<crypto::CertificateBody> Membership::Own() const {
  return crypto::CheckCertificateSignature(certificate, AuthorityKey());
}

bool Membership::Knows(const crypto::Fingerprint& authority) const {
  return crypto::FingerprintOf(AuthorityKey()) == authority ||
         crypto::SuccessionOf(successions, authority) < successions.size();
}

Result<void> StateFolder::Create() const {
  OTE_CHECK(MakeFolder(path, 0700));
  OTE_CHECK(MakeFolder(path / "keys", 0700));
  // A folder that was there before may have been made with a wider mode.
  for (const auto& folder : {path, path / "keys"}) {
    if (::chmod(folder.c_str(), 0700) != 0) {
      return Fail(ErrorId::kFileFailed,
                  fmt::format("{}: cannot set its mode: {}", folder.string(), std::strerror(errno)));
    }
  }
  return {};
}

Result<Membership> StateFolder::LoadMembership() const {
  std::error_code ignored;
  if (!std::filesystem::exists(MemberFile(), ignored)) {
    return Fail(ErrorId::kNotEnrolled, fmt::format("{}: holds no membership", path.string()),
                "ote cluster init NAME, or ote cluster join TOKEN --name NAME");
  }
  OTE_TRY(const std::string text, ReadTextFile(MemberFile(), 1 << 20));
  auto json = ParseJson(text, MemberFile().string());
  if (!json) return Fail(Error{ErrorId::kStoreCorrupt, json.error().message, {}});
  auto membership = FromWire<Membership>(*json);
  if (!membership || membership->authority_key.size() != 32) {
    return Fail(ErrorId::kStoreCorrupt, fmt::format("{}: not a membership", MemberFile().string()));
  }
  return membership;
}

Result<void> StateFolder::SaveMembership(const Membership& membership) const {
  const std::string text = DumpJson(ToJson(membership), 2) + "\n";
  return WriteFileAtomic(MemberFile(), AsBytes(text), 0600);
}

Result<crypto::SigningKey> StateFolder::SignKey() const {
  return LoadOrMake<crypto::SigningKey>(SignKeyFile(), crypto::LoadSigningKey, crypto::SaveSigningKey);
}

Result<crypto::TransportKey> StateFolder::TransportKey() const {
  return LoadOrMake<crypto::TransportKey>(TransportKeyFile(), crypto::LoadTransportKey, crypto::SaveTransportKey);
}

Result<crypto::TransportKey> StateFolder::ControlKey() const {
  return LoadOrMake<crypto::TransportKey>(ControlKeyFile(), crypto::LoadTransportKey, crypto::SaveTransportKey);
}

Result<crypto::TransportKey> StateFolder::ControlServerKey() const {
  OTE_TRY(const auto control, ControlKey());
  return crypto::TransportKey::FromSecret(crypto::DeriveKey(control.Secret(), "ote-control-end").View());
}

Result<FolderLock> FolderLock::Take(const StateFolder& folder) {
  const int fd = ::open(folder.LockFile().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return Fail(ErrorId::kFileFailed, fmt::format("{}: {}", folder.LockFile().string(), std::strerror(errno)));
  }
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return Fail(ErrorId::kAgentRunning,
                fmt::format("{}: another agent runs in this state folder", folder.path.string()),
                "ote cluster status --state " + folder.path.string());
  }
  return FolderLock(fd);
}

bool FolderLock::Held(const StateFolder& folder) {
  const int fd = ::open(folder.LockFile().c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return false;
  const bool held = ::flock(fd, LOCK_EX | LOCK_NB) != 0;
  ::close(fd);
  return held;
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace ote::store
