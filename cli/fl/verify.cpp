// ote fl verify: the record of a run, audited.
#include <fmt/format.h>

#include <optional>

#include "cli/fl/commands.h"
#include "cli/frame/credential.h"
#include "cli/frame/link.h"
#include "cli/frame/output.h"
#include "cli/frame/report.h"
#include "cli/frame/settings.h"
#include "cli/model/commands.h"
#include "core/base/files.h"
#include "core/base/units.h"
#include "core/record/audit.h"

namespace ote::cli {
namespace {

struct VerifyOptions {
  std::string run;
  std::filesystem::path record;
  std::string fingerprint;
  std::filesystem::path save;
};

// More than any record has; what the agent claims is not believed beyond it.
constexpr std::size_t kLargest = std::size_t{1} << 32;

// Entry `seq`, or the seal after the last one.
Result<Bytes> FetchEntry(Context& context, AgentLink& link, const std::string& run, std::int64_t seq, bool* seal,
                         UnixMillis* dropped) {
  Bytes out;
  while (true) {
    const api::RecordRequest wanted{run, seq, static_cast<std::int64_t>(out.size())};
    OTE_TRY(const auto answer, link.Wire().Call(api::verb::kFlRecord, ToJson(wanted), context.Patience(kQuick)));
    OTE_TRY(const auto piece, FromWire<api::RecordPiece>(answer.body));
    const ByteView bytes = answer.blob.View();
    if (bytes.empty() || piece.seq != seq || piece.offset != wanted.offset || std::cmp_greater(piece.size, kLargest)) {
      return Fail(ErrorId::kProtocol, fmt::format("run {}: a piece of its record that was not asked for", run));
    }
    // The run went on meanwhile: what was begun as the seal is an entry now.
    if (!out.empty() && piece.seal != *seal) {
      out.clear();
      continue;
    }
    *seal = piece.seal;
    *dropped = piece.dropped;
    out.insert(out.end(), bytes.begin(), bytes.end());
    if (std::cmp_greater_equal(out.size(), piece.size)) return out;
  }
}

Result<Bytes> FetchRecord(Context& context, AgentLink& link, const std::string& run, UnixMillis* dropped) {
  const ByteView magic = AsBytes(record::kMagic);
  Bytes file(magic.begin(), magic.end());
  bool seal = false;
  for (std::int64_t seq = 0; !seal; ++seq) {
    OTE_TRY(const Bytes entry, FetchEntry(context, link, run, seq, &seal, dropped));
    file.insert(file.end(), entry.begin(), entry.end());
  }
  return file;
}

Result<crypto::Fingerprint> Authority(const Context& context, const VerifyOptions& options) {
  if (!options.fingerprint.empty()) {
    auto fingerprint = crypto::KeyFromText(options.fingerprint);
    if (!fingerprint) {
      return Fail(ErrorId::kUsage,
                  fmt::format("--fingerprint {}: {}", options.fingerprint, fingerprint.error().message),
                  "ote cluster status at the root shows it, as its authority");
    }
    return *fingerprint;
  }
  OTE_TRY(const ChosenState state, ChooseAgent(context));
  if (!state.credential.empty()) {
    OTE_TRY(const Credential held, LoadCredential(state.credential));
    return crypto::KeyFromText(held.about.fingerprint);
  }
  const auto member = store::StateFolder{state.path}.LoadMembership();
  if (!member) {
    return Fail(ErrorId::kUsage, "no authority to believe: this machine is no member of a tree",
                "give the authority's --fingerprint, as somebody whom you trust told it");
  }
  return crypto::FingerprintOf(member->AuthorityKey());
}

std::string TextOf(const record::Audit& audit) {
  Table table({{"ENTRY", false, true},
               {"KIND"},
               {"ROUND", false, true},
               {"CLUSTERS"},
               {"MODEL"},
               {"RESULT"},
               {"DIGEST", true},
               {"WRITTEN", true},
               {"BY", true},
               {"WHY", true}});
  for (const record::AuditedEntry& line : audit.entries) {
    table.Add({std::to_string(line.entry), line.kind, line.round ? std::to_string(*line.round) : "",
               Join(line.clusters), Short(line.model), line.result, Short(line.digest), FormatTime(line.at),
               line.version, line.why});
  }
  return table.Text(false) + "\n" +
         FactsText({{"run", audit.run},
                    {"status", audit.status},
                    {"entries", fmt::format("{} hold, {} made again", audit.entries.size(), audit.recomputed)},
                    {"head", audit.head}});
}

Result<Exit> Verify(Context& context, const VerifyOptions& options) {
  if (options.record.empty() == options.run.empty()) {
    return Fail(ErrorId::kUsage, "name a run of the root, or the --record that was saved of one",
                "ote fl verify RUN, or ote fl verify --record FILE --fingerprint FINGERPRINT");
  }
  OTE_TRY(const crypto::Fingerprint authority, Authority(context, options));
  std::optional<AgentLink> link;
  Bytes file;
  UnixMillis dropped = 0;
  if (options.record.empty()) {
    OTE_TRY(link, AgentLink::Open(context));
    OTE_TRY(file, FetchRecord(context, *link, options.run, &dropped));
  } else {
    OTE_TRY(file, ReadFile(context.Absolute(options.record)));
  }
  if (!options.save.empty()) {
    const auto path = context.Absolute(options.save);
    OTE_CHECK(WriteFileAtomic(path, file));
    Say(context, fmt::format("record written to {}", path.string()));
  }
  const federate::ArtifactReader read = [&](const std::string& digest) {
    return FetchArtifact(context, *link, digest);
  };
  OTE_TRY(const record::Audit audit, record::AuditFile(file, authority, link ? &read : nullptr, dropped != 0));
  const std::string name = audit.run.empty() ? options.record.string() : "of run " + audit.run;
  Json json = ToJson(audit);
  std::optional<Error> failed;
  if (audit.broken) {
    failed =
        Error{ErrorId::kRecordBroken, fmt::format("record {}: {}", name, audit.broken->message), "ote explain E0352"};
    json.update(ErrorDocument(*failed));
  }
  if (dropped != 0) {
    json["updatesDropped"] = dropped;
    Say(context, fmt::format("run {}: what its aggregates were made from was removed on {}, so none is made again; "
                             "the chain and its signatures are checked",
                             audit.run, FormatTime(dropped)));
  }
  PrintOne(context, json, TextOf(audit), audit.run);
  if (failed) return Fail(std::move(*failed));
  return Exit::kDone;
}

}  // namespace

Command VerifyCommand() {
  auto options = std::make_shared<VerifyOptions>();
  Command c("verify", "check the record of a run, entry by entry");
  c.About(
      "The root writes an entry for the beginning of a run, its first model, each of its rounds and its end. Each "
      "names "
      "the one before it by digest and is signed by the root; each update in it is signed by the cluster that sent it. "
      "All of that is checked under the authority's key, without any data; and where the run keeps its updates "
      "(record.updates in the run file), each aggregate is made again and compared. The first entry that does not hold "
      "is named, with what is wrong with it. The head is the digest of the last entry: who has noted it can tell that "
      "nothing before it was changed since. A record that was saved is checked on any machine, without a root.");
  c.Argument("RUN", options->run, "the run's id or name").Optional().Completes(Names::kRun);
  c.Option("--record", "FILE", options->record, "a record that was saved").Completes(Names::kFile);
  c.Option("--fingerprint", "FINGERPRINT", options->fingerprint, "of the authority that is believed");
  c.Fallback("that of the state folder");
  c.Option("--save", "FILE", options->save, "write the record there, as it is").Completes(Names::kFile);
  c.Example("ote fl verify run-7k2m9q4x0d", "at the root");
  c.Example("ote fl verify run-7k2m9q4x0d --save run.record", "and keep it for others");
  c.Example("ote fl verify --record run.record --fingerprint 3yZe7d0bT4b5mS2o1cW8nU6hX9vQ0kR7jL5iA3gE2fM",
            "on any machine");
  c.Exits({Exit::kFailed, Exit::kUnreachable, Exit::kNotFound, Exit::kVerification});
  c.Does([options](Context& context) { return Verify(context, *options); });
  return c;
}

}  // namespace ote::cli
