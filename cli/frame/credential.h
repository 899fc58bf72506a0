// The file that lets an operator reach the agents of a tree from any machine: whom to connect to, and the private key.
#pragma once

#include <filesystem>

#include "core/api/operator.h"
#include "crypto/keys.h"

namespace ote::cli {

struct Credential {
  api::Credential about;  // without the key
  crypto::TransportKey key;
};

// kFileFailed, kKeyFileExposed when others may read it, kKeyFileInvalid when it is something else; input errors name
// the line.
Result<Credential> LoadCredential(const std::filesystem::path& file);
// Writes it with mode 0600, over an older one.
Result<void> SaveCredential(const std::filesystem::path& file, const Credential& credential);
// What stands in the file. Holds the key.
std::string CredentialText(const Credential& credential);

}  // namespace ote::cli
