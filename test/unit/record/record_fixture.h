// A run with its record: sites that sign what they send, and a root that chains what the run enters.
#pragma once

#include <catch2/catch.hpp>
#include <map>

#include "core/record/audit.h"
#include "core/record/chain.h"
#include "core/record/statement.h"
#include "test/fake/fake_federation.h"

namespace ote::test {

inline crypto::SigningKey KeyOf(std::uint8_t seed) { return *crypto::SigningKey::FromSeed(Bytes(32, seed)); }

struct Party {
  std::string name;
  crypto::SigningKey key;
  crypto::Certificate certificate;
};

inline Party MakeParty(const crypto::SigningKey& authority, const std::string& name, std::uint8_t seed,
                       crypto::Role role = crypto::Role::kMember) {
  Party party{name, KeyOf(seed), {}};
  crypto::CertificateBody body;
  body.serial = BigId{seed};
  body.name = name;
  body.role = role;
  body.parent = role == crypto::Role::kRoot ? "" : "hq";
  body.sign_key.assign(party.key.Public().bytes.begin(), party.key.Public().bytes.end());
  body.transport_key = Bytes(32, seed);
  body.not_before = 1;
  body.not_after = 2'000'000'000'000;
  party.certificate = crypto::IssueCertificate(authority, body);
  return party;
}

class RecordedRun {
 public:
  explicit RecordedRun(api::RunSpec spec,
                       std::vector<federate::Site> sites = {fake::MakeSite("a", 30), fake::MakeSite("b", 50)})
      : federation(std::move(spec), sites) {
    federation.keep_all = true;
    for (const federate::Site& site : sites) {
      parties.emplace(site.name, MakeParty(authority, site.name, static_cast<std::uint8_t>(10 + parties.size())));
      federation.bend[site.name] = [this, name = site.name](fake::Answer& answer) {
        const Party& party = parties.at(name);
        record::Countersign(answer.offer, "task", name, party.key, party.certificate);
      };
    }
  }
  void Play() {
    REQUIRE(federation.Start());
    federation.Play();
  }

  record::Signer Signs() const { return {root.key, root.certificate, authority_key, successions}; }
  // The authority hands over to another, which certifies the root anew.
  void ChangeAuthority(std::uint8_t seed) {
    const auto next = KeyOf(seed);
    successions.push_back(
        crypto::IssueSuccession(present, next, static_cast<std::int64_t>(successions.size()) + 1, 1'000));
    authority_key.assign(next.Public().bytes.begin(), next.Public().bytes.end());
    root.certificate = MakeParty(next, "hq", 2, crypto::Role::kRoot).certificate;
    present = KeyOf(seed);
  }
  // The record of these entries, chained and sealed.
  Bytes File(const std::vector<api::RecordEntry>& entries, const std::string& run = "run-1") const {
    record::Head head;
    head.run = run;
    Bytes file(record::kMagic.begin(), record::kMagic.end());
    for (const api::RecordEntry& entry : entries) {
      const Bytes frame = record::Append(head, entry, Signs());
      file.insert(file.end(), frame.begin(), frame.end());
    }
    const Bytes seal = record::Seal(head, Signs());
    file.insert(file.end(), seal.begin(), seal.end());
    return file;
  }
  Bytes File() const { return File(federation.entries); }
  record::Audit Check(ByteView file) const {
    auto audit = record::AuditFile(file, crypto::FingerprintOf(authority.Public()), nullptr);
    REQUIRE(audit);
    return std::move(*audit);
  }
  record::Audit Recompute(ByteView file) {
    const federate::ArtifactReader read = federation.Store().whole;
    auto audit = record::AuditFile(file, crypto::FingerprintOf(authority.Public()), &read);
    REQUIRE(audit);
    return std::move(*audit);
  }

  crypto::SigningKey authority = KeyOf(1);
  crypto::SigningKey present = KeyOf(1);
  Bytes authority_key = Bytes(authority.Public().bytes.begin(), authority.Public().bytes.end());
  std::vector<crypto::Succession> successions;
  Party root = MakeParty(authority, "hq", 2, crypto::Role::kRoot);
  std::map<std::string, Party> parties;
  fake::Federation federation;
};

inline std::string Why(const record::Audit& audit) { return audit.broken ? audit.broken->message : "it holds"; }

// The frames of a file, the seal last.
inline std::vector<Bytes> FramesOf(ByteView file) {
  std::vector<Bytes> frames;
  auto reader = record::FileReader::Open(file);
  REQUIRE(reader);
  while (!reader->AtEnd()) {
    const auto frame = reader->Next();
    REQUIRE(frame);
    frames.emplace_back(frame->begin(), frame->end());
  }
  return frames;
}
inline Bytes FileOf(const std::vector<Bytes>& frames) {
  Bytes file(record::kMagic.begin(), record::kMagic.end());
  for (const Bytes& frame : frames) file.insert(file.end(), frame.begin(), frame.end());
  return file;
}

}  // namespace ote::test
