#include "agent/record_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "core/record/entry.h"
#include "core/record/statement.h"

namespace ote::agent {
namespace {

constexpr std::string_view kEntryKind = "record-entry";

struct KeptArtifact {
  static constexpr std::string_view kKind = "record-artifact";
  std::string digest;
  std::string run;  // the first that named it

  std::string Key() const { return digest; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("digest", self.digest, kRequired);
    v("run", self.run, kRequired);
  }
};

std::string EntryKey(const std::string& run, std::int64_t seq) { return fmt::format("{}/{:010}", run, seq); }

// What the entry can be made again from, and what comes of it.
std::vector<std::string> ArtifactsOf(const api::RecordEntry& entry) {
  std::vector<std::string> out;
  if (entry.begin) out = {entry.begin->model};
  if (entry.model) out = {entry.model->model};
  if (entry.round) {
    out = {entry.round->model_before, entry.round->model, entry.round->state_before, entry.round->state};
    for (const auto& site : entry.round->sites) out.push_back(site.digest);
  }
  std::erase(out, "");
  return out;
}

// A round that was entered before: nothing when it is the same one.
Result<void> CheckSame(store::Store& store, const record::Head& head, const api::RecordRound& round) {
  for (std::int64_t seq = head.entries - 1; seq >= 0; --seq) {
    OTE_TRY(const auto frame, store.GetDoc(kEntryKind, EntryKey(head.run, seq)));
    if (!frame) break;
    OTE_TRY(const auto read, record::ReadFrame(*frame));
    OTE_TRY(const auto body, FromCbor<record::EntryBody>(read.body));
    if (!body.entry.round || body.entry.round->round != round.round) continue;
    if (ToCbor(*body.entry.round) == ToCbor(round)) return {};
    break;
  }
  return Fail(ErrorId::kRecordConflict,
              fmt::format("run {}: round {} stands in its record already, and is another", head.run, round.round));
}

Result<void> Add(Context& context, const record::Signer& signer, RecordHead& row, api::RecordEntry entry) {
  if (entry.round && entry.round->round <= row.rounds) return CheckSame(context.store, row.head, *entry.round);
  if (entry.round) row.rounds = entry.round->round;
  if (row.keeps) {
    for (const auto& digest : ArtifactsOf(entry)) {
      if (!KeptForRecord(context.store, digest)) OTE_CHECK(context.store.Put(KeptArtifact{digest, row.head.run}));
    }
  }
  const auto key = EntryKey(row.head.run, row.head.entries);
  return context.store.PutDoc(kEntryKind, key, record::Append(row.head, std::move(entry), signer));
}

Result<Bytes> SealNow(Context& context, const record::Head& head) {
  OTE_TRY(const auto key, context.folder.SignKey());
  return record::Seal(
      head, {key, context.membership.certificate, context.membership.authority_key, context.membership.successions});
}

}  // namespace

Result<void> WriteEntries(Context& context, const std::string& run, std::vector<api::RecordEntry> entries) {
  if (entries.empty()) return {};
  OTE_TRY(auto row, context.store.Get<RecordHead>(run));
  if (!row && !entries.front().begin) return {};
  if (!row) {
    row.emplace();
    row->head.run = run;
    row->keeps = entries.front().begin->spec.record.updates == api::KeepUpdates::kKeep;
  }
  // Read each time, so that it is the one that the certificate of now is for.
  OTE_TRY(const auto key, context.folder.SignKey());
  const record::Signer signer{key, context.membership.certificate, context.membership.authority_key,
                              context.membership.successions};
  for (auto& entry : entries) OTE_CHECK(Add(context, signer, *row, std::move(entry)));
  return context.store.Put(*row);
}

Result<void> CheckStatement(const Context& context, const std::string& site, const api::UpdateOffer& offer,
                            const std::string& task, const std::string& statistics) {
  const auto& member = context.membership;
  const auto authority = member.AuthorityKey();
  std::optional<crypto::RevocationBody> revoked;
  if (member.revocations) {
    OTE_TRY(revoked, crypto::CheckRevocationList(*member.revocations, authority, 0));
  }
  // One that was signed before the authority changed is still good: the connection has told who sends it.
  for (const auto& link : member.successions) {
    const auto body = FromCbor<crypto::SuccessionBody>(link.body);
    if (!body) continue;
    const crypto::VerifyKey before{crypto::AsKey(body->from)};
    if (record::CheckOffer(offer, site, task, statistics, before, revoked ? &*revoked : nullptr)) return {};
  }
  return record::CheckOffer(offer, site, task, statistics, authority, revoked ? &*revoked : nullptr);
}

bool KeptForRecord(store::Store& store, const std::string& digest) {
  const auto kept = store.GetDoc(KeptArtifact::kKind, digest);
  return !kept || kept->has_value();
}

Result<std::set<std::string>> AllKeptForRecords(store::Store& store) {
  OTE_TRY(const auto rows, store.ListDocs(KeptArtifact::kKind));
  std::set<std::string> out;
  for (const auto& [digest, row] : rows) out.insert(digest);
  return out;
}

namespace {

// The artifacts that the record of a run names.
Result<std::set<std::string>> NamedBy(store::Store& store, const record::Head& head) {
  std::set<std::string> named;
  for (std::int64_t seq = 0; seq < head.entries; ++seq) {
    OTE_TRY(const auto frame, store.GetDoc(kEntryKind, EntryKey(head.run, seq)));
    if (!frame) continue;
    OTE_TRY(const auto read, record::ReadFrame(*frame));
    OTE_TRY(const auto body, FromCbor<record::EntryBody>(read.body));
    for (auto& digest : ArtifactsOf(body.entry)) named.insert(std::move(digest));
  }
  return named;
}

// Of what the record keeps, the record of another run that keeps it too; "" for none.
Result<std::map<std::string, std::string>> OthersOf(store::Store& store, const std::string& run) {
  std::map<std::string, std::string> others;
  OTE_TRY(const auto row, store.Get<RecordHead>(run));
  if (!row || !row->keeps) return others;
  OTE_TRY(const auto named, NamedBy(store, row->head));
  for (const auto& digest : named) others.emplace(digest, "");
  OTE_TRY(const auto heads, store.List<RecordHead>());
  for (const auto& head : heads) {
    if (head.head.run == run || !head.keeps) continue;
    OTE_TRY(const auto also, NamedBy(store, head.head));
    for (const auto& digest : also) {
      if (const auto it = others.find(digest); it != others.end()) it->second = head.head.run;
    }
  }
  return others;
}

}  // namespace

Result<std::set<std::string>> KeptOnlyFor(store::Store& store, const std::string& run) {
  OTE_TRY(const auto others, OthersOf(store, run));
  std::set<std::string> only;
  for (const auto& [digest, other] : others) {
    if (other.empty()) only.insert(digest);
  }
  return only;
}

Result<std::int64_t> DropKept(Context& context, const std::string& run) {
  auto& store = context.store;
  OTE_TRY(const auto others, OthersOf(store, run));
  std::int64_t rows = 0;
  for (const auto& [digest, other] : others) {
    if (!other.empty()) {
      OTE_CHECK(store.Put(KeptArtifact{digest, other}));
      continue;
    }
    OTE_TRY(const bool removed, store.Remove<KeptArtifact>(digest));
    rows += removed ? 1 : 0;
  }
  OTE_TRY(auto row, store.Get<RecordHead>(run));
  if (!row || !row->keeps) return rows;
  row->keeps = false;
  row->dropped = context.clock.WallNow();
  OTE_CHECK(store.Put(*row));
  return rows;
}

Result<std::int64_t> DropRecord(store::Store& store, const std::string& run) {
  OTE_TRY(const auto row, store.Get<RecordHead>(run));
  if (!row) return 0;
  std::int64_t rows = 0;
  for (std::int64_t seq = 0; seq < row->head.entries; ++seq) {
    OTE_TRY(const bool removed, store.RemoveDoc(kEntryKind, EntryKey(run, seq)));
    rows += removed ? 1 : 0;
  }
  OTE_CHECK(store.Remove<RecordHead>(run));
  return rows + 1;
}

void ServeRecord(Context& context, Request& request, const std::string& run, const api::RecordRequest& wanted) {
  const auto row = context.store.Get<RecordHead>(run);
  if (!row) return request.Refuse(row.error());
  if (!*row) {
    return request.Refuse(
        Error{ErrorId::kRecordMissing, fmt::format("run {}: it began before there were records of runs", run), {}});
  }
  api::RecordPiece piece{run, wanted.seq, wanted.offset, 0, wanted.seq >= (*row)->head.entries, (*row)->dropped};
  Bytes bytes;
  if (piece.seal) {
    auto seal = SealNow(context, (*row)->head);
    if (!seal) return request.Refuse(seal.error());
    bytes = std::move(*seal);
  } else {
    auto frame = context.store.GetDoc(kEntryKind, EntryKey(run, wanted.seq));
    if (!frame) return request.Refuse(frame.error());
    if (!*frame) {
      return request.Refuse(
          Error{ErrorId::kRecordBroken, fmt::format("run {}: entry {} of its record is gone", run, wanted.seq), {}});
    }
    bytes = std::move(**frame);
  }
  piece.size = static_cast<std::int64_t>(bytes.size());
  if (wanted.seq < 0 || wanted.offset < 0 || wanted.offset >= piece.size) {
    return request.Refuse(Error{
        ErrorId::kMalformed, fmt::format("entry {}: bytes from {}, of {}", wanted.seq, wanted.offset, piece.size), {}});
  }
  auto owner = std::make_shared<const Bytes>(std::move(bytes));
  const ByteView rest = ByteView(*owner).subspan(static_cast<std::size_t>(wanted.offset));
  request.Answer(ToJson(piece), wire::Blob(rest.first(std::min(rest.size(), wire::kMaxChunk)), owner));
}

}  // namespace ote::agent
