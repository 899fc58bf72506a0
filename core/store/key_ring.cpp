#include "core/store/key_ring.h"

#include <fmt/format.h>

namespace ote::store {
namespace {

namespace fs = std::filesystem;

bool There(const fs::path& file) {
  std::error_code ignored;
  return fs::exists(file, ignored);
}

template <class Key>
struct Held {
  Key key;
  std::optional<Key> next;
};

// The table of the header for one key: `named` is the public half that member.json names.
template <class Key, class Public, class Load>
Result<Held<Key>> Settle(const fs::path& file, const fs::path& next_file, const Public& named, Load load) {
  std::optional<Key> next;
  if (There(next_file)) {
    auto loaded = load(next_file);
    if (loaded && loaded->Public() == named) {
      OTE_CHECK(crypto::ReplaceKeyFile(file, next_file));
      return Held<Key>{std::move(*loaded), std::nullopt};
    }
    // Exposed to others it must not be used, and the operator should hear of it; a damaged one was never promised.
    if (!loaded && loaded.error().id == ErrorId::kKeyFileExposed) return Fail(std::move(loaded).error());
    if (loaded) {
      next.emplace(std::move(*loaded));
    } else {
      OTE_CHECK(crypto::DestroyKeyFile(next_file));
    }
  }
  OTE_TRY(Key key, load(file));
  if (key.Public() != named) {
    return Fail(ErrorId::kKeysMismatch,
                fmt::format("{}: not the key that the folder's member.json names", file.string()),
                "restore the whole folder from one backup, or join again with a new token");
  }
  return Held<Key>{std::move(key), std::move(next)};
}

template <class Key, class Load, class Save>
Result<Key> LoadOrMake(const fs::path& file, Load load, Save save) {
  if (There(file)) {
    if (auto key = load(file)) return key;
    OTE_CHECK(crypto::DestroyKeyFile(file));
  }
  Key key = Key::Generate();
  OTE_CHECK(save(file, key));
  return key;
}

Result<crypto::SigningKey> NextSigningKey(const fs::path& file) {
  return LoadOrMake<crypto::SigningKey>(file, crypto::LoadSigningKey, crypto::SaveSigningKey);
}

}  // namespace

Result<MemberKeys> LoadMemberKeys(const StateFolder& folder, const crypto::CertificateBody& own) {
  OTE_TRY(auto sign, Settle<crypto::SigningKey>(folder.SignKeyFile(), folder.NextSignKeyFile(), own.SignKey(),
                                                crypto::LoadSigningKey));
  OTE_TRY(auto transport, Settle<crypto::TransportKey>(folder.TransportKeyFile(), folder.NextTransportKeyFile(),
                                                       own.Transport(), crypto::LoadTransportKey));
  return MemberKeys{std::move(sign.key), std::move(transport.key), std::move(sign.next), std::move(transport.next)};
}

Result<crypto::SigningKey> LoadAuthorityKey(const StateFolder& folder, const crypto::VerifyKey& named) {
  OTE_TRY(auto held, Settle<crypto::SigningKey>(folder.AuthorityKeyFile(), folder.NextAuthorityKeyFile(), named,
                                                crypto::LoadSigningKey));
  if (held.next) OTE_CHECK(crypto::DestroyKeyFile(folder.NextAuthorityKeyFile()));
  return std::move(held.key);
}

Result<void> MakeNextKeys(const StateFolder& folder, MemberKeys& keys) {
  OTE_CHECK(MakeNextSignKey(folder, keys));
  return MakeNextTransportKey(folder, keys);
}

Result<void> MakeNextTransportKey(const StateFolder& folder, MemberKeys& keys) {
  if (keys.next_transport) return {};
  OTE_TRY(auto transport, (LoadOrMake<crypto::TransportKey>(folder.NextTransportKeyFile(), crypto::LoadTransportKey,
                                                            crypto::SaveTransportKey)));
  keys.next_transport.emplace(std::move(transport));
  return {};
}

Result<void> MakeNextSignKey(const StateFolder& folder, MemberKeys& keys) {
  if (keys.next_sign) return {};
  OTE_TRY(auto sign, NextSigningKey(folder.NextSignKeyFile()));
  keys.next_sign.emplace(std::move(sign));
  return {};
}

Result<crypto::SigningKey> MakeNextAuthorityKey(const StateFolder& folder) {
  return NextSigningKey(folder.NextAuthorityKeyFile());
}

Result<void> TakeNextKeys(const StateFolder& folder, MemberKeys& keys) {
  if (keys.next_sign) {
    keys.sign = std::move(*keys.next_sign);
    keys.next_sign.reset();
    OTE_CHECK(crypto::ReplaceKeyFile(folder.SignKeyFile(), folder.NextSignKeyFile()));
  }
  if (keys.next_transport) {
    keys.transport = std::move(*keys.next_transport);
    keys.next_transport.reset();
    OTE_CHECK(crypto::ReplaceKeyFile(folder.TransportKeyFile(), folder.NextTransportKeyFile()));
  }
  return {};
}

Result<void> TakeNextAuthorityKey(const StateFolder& folder) {
  return crypto::ReplaceKeyFile(folder.AuthorityKeyFile(), folder.NextAuthorityKeyFile());
}

Result<void> DropNextKeys(const StateFolder& folder, MemberKeys& keys) {
  keys.next_sign.reset();
  keys.next_transport.reset();
  OTE_CHECK(crypto::DestroyKeyFile(folder.NextSignKeyFile()));
  return crypto::DestroyKeyFile(folder.NextTransportKeyFile());
}

}  // namespace ote::store
