#include "core/record/remake.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>

#include "crypto/digest.h"

namespace ote::record {
namespace {

bool Keeps(const api::RunSpec& spec) { return spec.record.updates == api::KeepUpdates::kKeep; }
const Remade kNotKept = {false, "what it was made from is not kept"};

tl::unexpected<Error> Broken(std::string message) { return Fail(ErrorId::kRecordBroken, std::move(message)); }

// What stands in the way is the line to whoever keeps the artifacts, not the record.
bool OfTheLine(const Error& error) {
  return error.id == ErrorId::kUnreachable || error.id == ErrorId::kTimedOut || error.id == ErrorId::kBusy ||
         error.id == ErrorId::kInterrupted;
}

Result<Remade> Judge(const Error& error) {
  if (OfTheLine(error)) return Fail(error);
  if (error.id == ErrorId::kRecordBroken) return Fail(error);
  if (error.id == ErrorId::kUnsupported) return Remade{false, error.message};
  return Broken(fmt::format("it cannot be made again, and the run keeps what it needs: {}", error.message));
}

Result<Bytes> ReadChecked(const federate::ArtifactReader& read, const std::string& digest) {
  OTE_TRY(Bytes bytes, read(digest));
  if (crypto::DigestOf(bytes).ToString() == digest) return bytes;
  return Fail(ErrorId::kArtifactCorrupt, digest + ": what is kept has another digest");
}

federate::Artifacts Checked(const federate::ArtifactReader& read) {
  const auto whole = [&read](const std::string& digest) { return ReadChecked(read, digest); };
  // Updates that are compared with each other are read block by block, again and again.
  const auto range = [whole, held = std::map<std::string, Bytes>()](
                         const std::string& digest, std::int64_t offset,
                         std::span<std::uint8_t> out) mutable -> Result<void> {
    auto it = held.find(digest);
    if (it == held.end()) {
      OTE_TRY(Bytes bytes, whole(digest));
      it = held.emplace(digest, std::move(bytes)).first;
    }
    const auto from = static_cast<std::size_t>(offset);
    if (from > it->second.size() || out.size() > it->second.size() - from) {
      return Fail(ErrorId::kArtifactCorrupt, digest + ": it is too short");
    }
    std::copy_n(it->second.begin() + offset, out.size(), out.begin());
    return {};
  };
  return {whole, range};
}

}  // namespace

Result<Remade> RemakeRound(const api::RunSpec& spec, const api::RecordRound& round,
                           const federate::ArtifactReader& read) {
  if (!Keeps(spec)) return kNotKept;
  const auto made = federate::RunMachine::Replay(spec, round, Checked(read));
  if (!made) return Judge(made.error());
  if (made->model != round.model) {
    return Broken(fmt::format("its updates make the model {}, and it names {}", made->model, round.model));
  }
  if (made->state != round.state) return Broken("its updates leave the strategy with another memory than it names");
  return Remade{true, {}};
}

Result<Remade> RemakeFirst(const api::RunSpec& spec, const std::string& model, const federate::ArtifactReader& read) {
  if (!Keeps(spec)) return kNotKept;
  const auto check = [&]() -> Result<void> {
    OTE_TRY(const Bytes bytes, ReadChecked(read, model));
    OTE_TRY(const auto file, federate::ReadModelFile(bytes));
    if (file.spec != spec.model || file.task != spec.task) return Broken("the first model is of another kind");
    if (!spec.from.empty()) return {};
    OTE_TRY(const auto maker, file.Make());
    if (maker->Init(static_cast<std::uint64_t>(spec.seed)) != file.values) {
      return Broken("the first model is not that of the run's seed");
    }
    return {};
  };
  if (const auto checked = check(); !checked) return Judge(checked.error());
  return Remade{true, {}};
}

}  // namespace ote::record
