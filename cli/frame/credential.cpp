#include "cli/frame/credential.h"

#include <fmt/format.h>

#include "core/base/files.h"
#include "crypto/secret_text.h"

namespace ote::cli {
namespace {

constexpr std::uint64_t kLargest = 64 << 10;

void WipeText(std::string& text) {
  crypto::Wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  text.clear();
}

tl::unexpected<Error> Invalid(const std::filesystem::path& file, std::string_view why) {
  return Fail(ErrorId::kKeyFileInvalid, fmt::format("credential {}: {}", file.string(), why),
              "ask for one, made at the root with: ote key create NAME");
}

}  // namespace

Result<Credential> LoadCredential(const std::filesystem::path& file) {
  OTE_TRY(Bytes bytes, ReadPrivateFile(file, kLargest));
  std::string text(AsText(bytes));
  crypto::Wipe(bytes);
  auto about = FromYaml<api::Credential>(text, file.string());
  WipeText(text);
  if (!about) return Fail(std::move(about).error());
  auto secret = crypto::DecodeSecret(about->key, 32);
  WipeText(about->key);
  if (about->kind != api::Credential{}.kind) return Invalid(file, "it is of a kind that is not known here");
  if (!secret) return Invalid(file, "its key is damaged");
  for (const auto& server : about->servers) {
    if (server.endpoints.empty() || server.transport_key.size() != 32)
      return Invalid(file, "an agent that it names has no endpoint, or no key");
  }
  OTE_TRY(auto key, crypto::TransportKey::FromSecret(secret->View()));
  return Credential{std::move(*about), std::move(key)};
}

std::string CredentialText(const Credential& credential) {
  auto about = credential.about;
  const auto secret = crypto::EncodeSecret(credential.key.Secret());
  about.key = AsText(secret.View());
  return DumpYaml(ToJson(about));
}

Result<void> SaveCredential(const std::filesystem::path& file, const Credential& credential) {
  auto text = CredentialText(credential);
  auto written = WriteFileAtomic(file, AsBytes(text), 0600);
  WipeText(text);
  return written;
}

}  // namespace ote::cli
