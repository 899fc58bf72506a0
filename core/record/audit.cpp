#include "core/record/audit.h"

#include <fmt/format.h>

namespace ote::record {
namespace {

AuditedEntry Describe(const EntryBody& body) {
  AuditedEntry out;
  const api::RecordEntry& entry = body.entry;
  out.entry = body.seq;
  out.kind = NameOf(entry.kind);
  out.at = entry.at;
  out.version = body.version;
  out.result = "holds";
  const auto name_all = [&out](const std::vector<api::RecordedSite>& sites) {
    for (const api::RecordedSite& site : sites) out.clusters.push_back(site.name);
  };
  if (entry.begin) out.model = entry.begin->model;
  if (entry.end) out.model = entry.end->model;
  if (entry.model) {
    out.model = entry.model->model;
    name_all(entry.model->sites);
  }
  if (entry.round) {
    out.round = entry.round->round;
    out.model = entry.round->model;
    name_all(entry.round->sites);
  }
  return out;
}

// Nothing for an entry that tells of no making.
Result<std::optional<Remade>> Remake(const api::RunSpec& spec, const api::RecordEntry& entry,
                                     const federate::ArtifactReader& read) {
  const std::string first = entry.begin ? entry.begin->model : entry.model ? entry.model->model : std::string();
  if (!first.empty()) return RemakeFirst(spec, first, read);
  if (entry.round) return RemakeRound(spec, *entry.round, read);
  return std::optional<Remade>();
}

// The authority that the record begins with, when the one that is trusted is it or has come after it by links that
// hold; otherwise the trusted one, under which the first entry does not hold.
crypto::Fingerprint FirstAuthority(ByteView file, const crypto::Fingerprint& trusted) {
  auto reader = FileReader::Open(file);
  if (!reader) return trusted;
  std::optional<crypto::Fingerprint> first;
  crypto::VerifyKey last;
  for (bool sealed = false; !sealed;) {
    const auto bytes = reader->Next();
    const auto frame = bytes ? ReadFrame(*bytes) : Fail(bytes.error());
    if (!frame) return trusted;
    sealed = reader->AtEnd();
    std::vector<crypto::Succession> links;
    if (sealed) {
      auto seal = FromCbor<SealBody>(frame->body);
      if (!seal) return trusted;
      links = std::move(seal->successions);
    } else {
      auto body = FromCbor<EntryBody>(frame->body);
      if (!body) return trusted;
      links = std::move(body->successions);
      if (!first) {
        last = {crypto::AsKey(body->authority)};
        first = crypto::FingerprintOf(last);
        if (*first == trusted) return trusted;
      }
    }
    for (const crypto::Succession& link : links) {
      const auto held = crypto::CheckSuccession(link, last);
      if (!held) return trusted;
      last = {crypto::AsKey(held->to)};
      if (crypto::FingerprintOf(last) == trusted) return *first;
    }
  }
  return trusted;
}

class Auditor {
 public:
  Auditor(const crypto::Fingerprint& authority, const federate::ArtifactReader* read, bool dropped)
      : verifier_(authority), read_(read), dropped_(dropped) {}

  // kRecordBroken, or what the line says.
  Result<void> Play(ByteView file) {
    OTE_TRY(FileReader reader, FileReader::Open(file));
    while (true) {
      const auto frame = reader.Next();
      if (!frame) {
        return Fail(ErrorId::kRecordBroken, fmt::format("entry {}: {}", verifier_.Entries(), frame.error().message));
      }
      if (reader.AtEnd()) return verifier_.Close(*frame);
      OTE_TRY(const EntryBody body, verifier_.Take(*frame));
      AuditedEntry line = Describe(body);
      line.digest = verifier_.Head();
      OTE_CHECK(Again(body.entry, line));
      audit_.entries.push_back(std::move(line));
    }
  }

  Audit Finish(std::optional<Error> broken) {
    audit_.run = verifier_.Run();
    audit_.status = verifier_.End() ? NameOf(verifier_.End()->status) : NameOf(api::RunStatus::kRunning);
    audit_.head = verifier_.Head();
    audit_.holds = !broken;
    audit_.broken = std::move(broken);
    return std::move(audit_);
  }

 private:
  Result<void> Again(const api::RecordEntry& entry, AuditedEntry& line) {
    if (read_ == nullptr) return {};
    auto spec = verifier_.Spec();
    if (dropped_) spec.record.updates = api::KeepUpdates::kDigests;
    auto remade = Remake(spec, entry, *read_);
    if (!remade) {
      Error error = std::move(remade).error();
      if (error.id == ErrorId::kRecordBroken) {
        const std::string round = line.round ? fmt::format(" (round {})", *line.round) : "";
        error.message = fmt::format("entry {}{}: {}", line.entry, round, error.message);
      }
      return Fail(std::move(error));
    }
    if (!*remade) return {};
    line.result = (*remade)->again ? "recomputed" : "not recomputable";
    line.why = (*remade)->why;
    audit_.recomputed += (*remade)->again ? 1 : 0;
    return {};
  }

  Verifier verifier_;
  const federate::ArtifactReader* read_;
  bool dropped_;
  Audit audit_;
};

}  // namespace

Result<Audit> AuditFile(ByteView file, const crypto::Fingerprint& authority, const federate::ArtifactReader* read,
                        bool dropped) {
  Auditor auditor(FirstAuthority(file, authority), read, dropped);
  auto played = auditor.Play(file);
  if (played) return auditor.Finish(std::nullopt);
  if (played.error().id != ErrorId::kRecordBroken) return Fail(std::move(played).error());
  return auditor.Finish(std::move(played).error());
}

}  // namespace ote::record
