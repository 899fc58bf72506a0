// The key files: one line that names its kind, then the secret.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/base/files.h"
#include "crypto/keys.h"
#include "crypto/secret_text.h"

namespace ote::crypto {
namespace {

constexpr std::string_view kSigning = "ote-signing-key-v1 ";
constexpr std::string_view kTransport = "ote-transport-key-v1 ";
constexpr std::size_t kSecretSize = 32;

Result<void> Save(const std::filesystem::path& path, std::string_view head, ByteView secret) {
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) {
    return Fail(ErrorId::kConflict, fmt::format("writing key {}: a file is there already", path.string()));
  }
  const SecretBytes text = EncodeSecret(secret);
  SecretBytes line(head.size() + text.size() + 1);
  auto out = std::copy(head.begin(), head.end(), line.Mutable().begin());
  out = std::copy(text.View().begin(), text.View().end(), out);
  *out = '\n';
  return WriteFileAtomic(path, line.View(), 0600);
}

Result<SecretBytes> Load(const std::filesystem::path& path, std::string_view head) {
  OTE_TRY(Bytes content, ReadPrivateFile(path));
  const SecretBytes held = SecretBytes::CopyOf(content);
  Wipe(content);
  const auto damaged = [&path](std::string_view why) {
    return Fail(ErrorId::kKeyFileInvalid, fmt::format("reading key {}: {}", path.string(), why));
  };
  std::string_view text = AsText(held.View());
  if (!text.starts_with(head)) {
    for (const std::string_view other : {kSigning, kTransport}) {
      if (text.starts_with(other)) {
        return damaged(fmt::format("it is an {}, where an {} is wanted", other.substr(0, other.size() - 4),
                                   head.substr(0, head.size() - 4)));
      }
    }
    return damaged(text.empty() ? "it is empty" : "it is not a key file");
  }
  text.remove_prefix(head.size());
  if (text.ends_with('\n')) text.remove_suffix(1);
  auto secret = DecodeSecret(text, kSecretSize);
  if (!secret) return damaged(text.size() < 43 ? "it is cut short" : "its key is damaged");
  return std::move(*secret);
}

// Zeros over the whole file, on disk when this returns.
Result<void> Overwrite(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    if (errno == ENOENT) return {};
    return Fail(FileError("destroying key", path, errno));
  }
  struct stat about {};
  bool done = ::fstat(fd, &about) == 0;
  const Bytes zeros(256, 0);
  for (off_t at = 0; done && at < about.st_size;) {
    const auto wanted = std::min<off_t>(about.st_size - at, static_cast<off_t>(zeros.size()));
    const auto wrote = ::pwrite(fd, zeros.data(), static_cast<std::size_t>(wanted), at);
    if (wrote <= 0) done = false;
    at += std::max<ssize_t>(wrote, 0);
  }
  done = done && ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  if (!done) return Fail(FileError("destroying key", path, error));
  return {};
}

}  // namespace

Result<void> DestroyKeyFile(const std::filesystem::path& path) {
  OTE_CHECK(Overwrite(path));
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return Fail(FileError("destroying key", path, errno));
  return SyncFolder(path.parent_path());
}

Result<void> ReplaceKeyFile(const std::filesystem::path& path, const std::filesystem::path& next) {
  OTE_CHECK(Overwrite(path));
  if (::rename(next.c_str(), path.c_str()) != 0) return Fail(FileError("replacing key", path, errno));
  return SyncFolder(path.parent_path());
}

Result<void> SaveSigningKey(const std::filesystem::path& path, const SigningKey& key) {
  return Save(path, kSigning, key.Seed());
}

Result<SigningKey> LoadSigningKey(const std::filesystem::path& path) {
  OTE_TRY(const SecretBytes seed, Load(path, kSigning));
  return SigningKey::FromSeed(seed.View());
}

Result<void> SaveTransportKey(const std::filesystem::path& path, const TransportKey& key) {
  return Save(path, kTransport, key.Secret());
}

Result<TransportKey> LoadTransportKey(const std::filesystem::path& path) {
  OTE_TRY(const SecretBytes secret, Load(path, kTransport));
  return TransportKey::FromSecret(secret.View());
}

}  // namespace ote::crypto
