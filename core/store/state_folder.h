// A state folder: everything that one agent is, on disk.
//
//   member.json        Membership (below), mode 0600, rewritten atomically
//   keys/sign.key      Ed25519, the member's own
//   keys/transport.key X25519, of its links
//   keys/control.key   X25519, what the command line on this machine proves itself with
//   keys/authority.key Ed25519, at the root only: signs certificates
//   keys/*.next.key    while a key is being changed (key_ring.h)
//   keys/runs/ID.key   X25519, at the root only: what the sites of a run seal their updates to; gone with the run
//   ote.db             Store: clusters, tokens, data sets, runs, models, journals
//   artifacts/         Artifacts: models and updates by digest
//   agent.sock         the control socket; agent.pid, agent.lock, agent.log
//
// The folder has mode 0700. The command line writes it before the agent starts; after that only the agent does.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/api/requests.h"
#include "core/base/result.h"
#include "crypto/certificate.h"
#include "crypto/keys.h"
#include "crypto/succession.h"

namespace ote::store {

struct ParentRef {
  std::vector<std::string> endpoints;  // in the order to try
  Bytes transport_key;                 // pinned

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("endpoints", self.endpoints, kRequired);
    v("transportKey", self.transport_key, kRequired);
  }
};

struct Membership {
  std::string name;
  crypto::Role role = crypto::Role::kMember;
  Bytes authority_key;                          // Ed25519 public, pinned
  std::vector<crypto::Succession> successions;  // how the authority came to be it, as far as is known here
  crypto::Certificate certificate;
  std::optional<crypto::RevocationList> revocations;
  std::optional<api::OperatorList> operators;  // who beside the one at this machine may ask
  std::optional<ParentRef> parent;             // empty at a root
  std::vector<std::string> listen;             // what to bind; port 0 is replaced by the port that was picked
  std::vector<std::string> advertise;          // what tokens carry; empty: worked out from `listen`
  api::TreeSettings settings;
  std::int64_t certificate_life_ms = 90LL * 24 * 3600 * 1000;  // root: of those that it issues
  std::string shim;          // what runs apps here: KIND or KIND:REST (ote-shim(7)); "" for the default
  api::TreePlace place;      // what the parent last said of where else to go; without guests
  std::string keys_request;  // the --request-id that these keys, and this authority, were made for
  std::string authority_request;

  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, kRequired);
    v("role", self.role, kRequired);
    v("authorityKey", self.authority_key, kRequired);
    v("successions", self.successions);
    v("certificate", self.certificate, kRequired);
    v("revocations", self.revocations);
    v("operators", self.operators);
    v("parent", self.parent);
    v("listen", self.listen);
    v("advertise", self.advertise);
    v("settings", self.settings);
    v("certificateLifeMs", self.certificate_life_ms);
    v("shim", self.shim);
    v("place", self.place);
    v("keysRequest", self.keys_request);
    v("authorityRequest", self.authority_request);
  }
  crypto::VerifyKey AuthorityKey() const;
  // This member's own certificate, its signature checked; kCertificateInvalid.
  Result<crypto::CertificateBody> Own() const;
  // Whether it is the authority, or one that went before it.
  bool Knows(const crypto::Fingerprint& authority) const;
};

struct StateFolder {
  std::filesystem::path path;

  std::filesystem::path MemberFile() const { return path / "member.json"; }
  std::filesystem::path SignKeyFile() const { return path / "keys" / "sign.key"; }
  std::filesystem::path TransportKeyFile() const { return path / "keys" / "transport.key"; }
  std::filesystem::path NextSignKeyFile() const { return path / "keys" / "sign.next.key"; }
  std::filesystem::path NextTransportKeyFile() const { return path / "keys" / "transport.next.key"; }
  std::filesystem::path NextAuthorityKeyFile() const { return path / "keys" / "authority.next.key"; }
  std::filesystem::path ControlKeyFile() const { return path / "keys" / "control.key"; }
  std::filesystem::path AuthorityKeyFile() const { return path / "keys" / "authority.key"; }
  std::filesystem::path RunKeyFolder() const { return path / "keys" / "runs"; }
  std::filesystem::path RunKeyFile(const std::string& run) const { return RunKeyFolder() / (run + ".key"); }
  std::filesystem::path Database() const { return path / "ote.db"; }
  std::filesystem::path ArtifactFolder() const { return path / "artifacts"; }
  std::filesystem::path Socket() const { return path / "agent.sock"; }
  std::filesystem::path PidFile() const { return path / "agent.pid"; }
  std::filesystem::path LockFile() const { return path / "agent.lock"; }
  std::filesystem::path LogFile() const { return path / "agent.log"; }
  std::string ControlEndpoint() const { return "ipc://" + Socket().string(); }

  // Makes the folder and `keys`, mode 0700.
  Result<void> Create() const;
  // kNotEnrolled when there is none.
  Result<Membership> LoadMembership() const;
  Result<void> SaveMembership(const Membership& membership) const;

  // The key in the file, made and saved first when there is none.
  Result<crypto::SigningKey> SignKey() const;
  Result<crypto::TransportKey> TransportKey() const;
  // The two ends of the control socket: the command line proves itself with the first, the agent with the second, which
  // is derived from it and stays when the keys of the member change.
  Result<crypto::TransportKey> ControlKey() const;
  Result<crypto::TransportKey> ControlServerKey() const;
};

// One agent a folder: holds an exclusive lock on agent.lock until destroyed. kAgentRunning.
class FolderLock {
 public:
  static Result<FolderLock> Take(const StateFolder& folder);
  // Whether some process holds it, without taking it.
  static bool Held(const StateFolder& folder);
  FolderLock(FolderLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace ote::store
