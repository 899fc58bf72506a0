#include "core/record/verify.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/federate/strategy.h"
#include "core/record/statement.h"

namespace ote::record {
namespace {

// The most that a sum is made of, as core/federate bounds it: sums of examples stay far within 64 bits.
constexpr std::int64_t kMost = std::int64_t{1} << 40;

tl::unexpected<Error> Broken(std::string message) { return Fail(ErrorId::kRecordBroken, std::move(message)); }

std::string NameOfEntry(std::int64_t seq, const api::RecordEntry* entry) {
  if (entry != nullptr && entry->round) return fmt::format("entry {} (round {})", seq, entry->round->round);
  return fmt::format("entry {}", seq);
}

// Exactly the part that its kind names.
bool OneOfItsKind(const api::RecordEntry& entry) {
  return entry.begin.has_value() == (entry.kind == api::EntryKind::kBegin) &&
         entry.model.has_value() == (entry.kind == api::EntryKind::kModel) &&
         entry.round.has_value() == (entry.kind == api::EntryKind::kRound) &&
         entry.end.has_value() == (entry.kind == api::EntryKind::kEnd);
}

Result<void> CheckRoot(const crypto::CertificateBody& signer, std::string_view domain, const Frame& frame) {
  if (signer.role != crypto::Role::kRoot) return Broken("it is signed by a cluster that is not the root");
  if (crypto::Verify(signer.SignKey(), domain, frame.body, frame.signature)) return {};
  return Broken("its signature is not the root's: it was changed");
}

template <class T, class Name>
bool Ascending(const std::vector<T>& items, Name name) {
  return std::adjacent_find(items.begin(), items.end(), [&](const T& a, const T& b) { return !(name(a) < name(b)); }) ==
         items.end();
}

}  // namespace

Result<EntryBody> Verifier::Take(ByteView bytes) {
  const auto named = [this](const Error& error, const api::RecordEntry* entry) {
    return Broken(fmt::format("{}: {}", NameOfEntry(next_, entry), error.message));
  };
  const auto frame = ReadFrame(bytes);
  if (!frame) return named(frame.error(), nullptr);
  auto body = FromCbor<EntryBody>(frame->body);
  if (!body) return named(body.error(), nullptr);
  const auto check = [&]() -> Result<void> {
    if (body->format != EntryBody::kFormat) {
      return Broken(fmt::format("it has format {}, and this ote reads {}", body->format, EntryBody::kFormat));
    }
    OTE_CHECK(TakeAuthority(*body));
    for (const crypto::Certificate& certificate : body->entry.certificates) {
      OTE_TRY(auto held, CheckCertificate(certificate));
      certificates_.insert_or_assign(api::CertificateDigest(certificate), std::move(held));
    }
    const auto signer = certificates_.find(body->signer);
    if (signer == certificates_.end()) return Broken("the certificate that it is signed under is not in the record");
    OTE_CHECK(CheckRoot(signer->second, kEntryDomain, *frame));
    OTE_CHECK(CheckPlace(*body));
    if (next_ == 0) run_ = body->run;
    return Follow(body->entry);
  };
  if (const auto checked = check(); !checked) return named(checked.error(), &body->entry);
  ++next_;
  head_ = FrameDigest(bytes);
  return std::move(*body);
}

Result<void> Verifier::TakeAuthority(const EntryBody& body) {
  if (next_ > 0) {
    if (!body.authority.empty()) return Broken("it names an authority, which the first entry alone does");
    return FollowAuthority(body.successions);
  }
  crypto::VerifyKey key;
  if (body.authority.size() != key.bytes.size()) return Broken("it names no authority");
  std::copy(body.authority.begin(), body.authority.end(), key.bytes.begin());
  if (crypto::FingerprintOf(key) != pinned_) {
    return Broken(fmt::format("it is of another authority, {}", crypto::ToText(crypto::FingerprintOf(key))));
  }
  authorities_ = {key};
  return {};
}

Result<void> Verifier::FollowAuthority(const std::vector<crypto::Succession>& links) {
  for (const crypto::Succession& link : links) {
    OTE_TRY(const auto body, crypto::CheckSuccession(link, authorities_.back()));
    authorities_.push_back({crypto::AsKey(body.to)});
  }
  return {};
}

// A site's may be of an authority that went: its answer was on the way.
Result<crypto::CertificateBody> Verifier::CheckCertificate(const crypto::Certificate& certificate) const {
  for (auto key = authorities_.rbegin(); key != authorities_.rend(); ++key) {
    auto body = crypto::CheckCertificateSignature(certificate, *key);
    if (body || key + 1 == authorities_.rend()) return body;
  }
  return Broken("it has no authority");
}

Result<void> Verifier::CheckPlace(const EntryBody& body) const {
  if (next_ > 0 && body.run != run_) return Broken(fmt::format("it is of another run, {}", body.run));
  if (body.seq != next_) return Broken(fmt::format("entry {} stands in its place", body.seq));
  if (body.previous != head_) return Broken("it does not follow the entry before it");
  return {};
}

Result<void> Verifier::Follow(const api::RecordEntry& entry) {
  if (!OneOfItsKind(entry)) return Broken("it is not what its kind says");
  if ((entry.kind == api::EntryKind::kBegin) != (next_ == 0)) return Broken("a record has one beginning");
  if (end_ && end_->status == api::RunStatus::kFinished) return Broken("it follows after the end of the run");
  if (entry.begin) {
    spec_ = entry.begin->spec;
    OTE_CHECK(api::Validate(spec_.strategy));
    model_ = entry.begin->model;
    models_ = {model_};
    return {};
  }
  if (entry.model) return FollowModel(*entry.model);
  if (entry.round) return FollowRound(*entry.round);
  if (entry.end) return FollowEnd(*entry.end);
  return {};
}

Result<void> Verifier::CheckSite(const api::RecordedSite& site, std::string_view kind) const {
  const auto said = FromCbor<api::StatementBody>(site.statement);
  const auto it = certificates_.find(site.certificate);
  if (!said || it == certificates_.end()) return Broken(fmt::format("{} has signed no statement", site.name));
  api::StatementBody wanted;
  wanted.run = run_;
  wanted.round = site.base;
  wanted.kind = kind;
  wanted.site = site.name;
  wanted.task = said->task;  // which the root checked when it took the answer
  wanted.update = kind == "survey" ? said->update : site.digest;
  wanted.size = site.size;
  wanted.examples = site.examples;
  wanted.steps = site.steps;
  auto checked = CheckStatement(site.statement, site.signature, it->second, wanted);
  if (!checked) return Broken(fmt::format("{}: {}", site.name, checked.error().message));
  return {};
}

Result<void> Verifier::FollowModel(const api::RecordModel& model) {
  if (rounds_ > 0) return Broken("its first model was made after a round");
  if (model.model.empty()) return Broken("it names no model");
  if (!Ascending(model.sites, [](const auto& s) -> const std::string& { return s.name; })) {
    return Broken("its clusters are out of order");
  }
  for (const api::RecordedSite& site : model.sites) OTE_CHECK(CheckSite(site, "survey"));
  model_ = model.model;
  models_ = {model_};
  return {};
}

Result<void> Verifier::FollowRound(const api::RecordRound& round) {
  if (round.round != rounds_ + 1) return Broken(fmt::format("round {} was expected", rounds_ + 1));
  if (round.model_before != model_) return Broken("it does not begin with the model that was made before");
  if (round.state_before != state_) return Broken("its strategy does not begin with what it remembered before");
  if (round.model.empty()) return Broken("it names no model");
  if ((round.aggregate == api::AggregateKind::kMasked) == round.sum.empty())
    return Broken("it names no sum, or one too many");
  // With noise at the root, sites are drawn by chance, and a round may have none.
  const bool by_chance = spec_.privacy.kind == api::NoiseKind::kCentral && spec_.sites.fraction < 1;
  if (!by_chance && std::cmp_less(round.sites.size(), std::max<std::int64_t>(1, spec_.sites.minimum))) {
    return Broken(fmt::format("{} clusters took part, and the run needs {}", round.sites.size(), spec_.sites.minimum));
  }
  if (!Ascending(round.sites, [](const auto& s) -> const std::string& { return s.name; }) ||
      !Ascending(round.left_out, [](const auto& s) -> const std::string& { return s; })) {
    return Broken("its clusters are out of order");
  }
  if (round.capacity < 1 || round.capacity > kMost) return Broken("the capacity of its sum cannot be");
  const bool late_counts = spec_.strategy.kind == api::StrategyKind::kFedBuff;
  std::int64_t rows = 0;
  std::int64_t weights = 0;
  for (const api::RecordedSite& site : round.sites) {
    if (site.base < 1 || site.base > round.round || (!late_counts && site.base != round.round)) {
      return Broken(fmt::format("{} answered for round {}", site.name, site.base));
    }
    if (site.examples < 1 || site.examples > kMost - rows) return Broken(fmt::format("the examples of {}", site.name));
    // With noise each site counts once, whatever it has.
    const std::int64_t counted = spec_.privacy.kind == api::NoiseKind::kNone ? site.examples : 1;
    if (site.weight != federate::UpdateWeight(spec_.strategy, counted, round.round - site.base)) {
      return Broken(fmt::format("the weight of {} is not that of its examples", site.name));
    }
    if (std::binary_search(round.left_out.begin(), round.left_out.end(), site.name)) {
      return Broken(fmt::format("{} took part, and was left out", site.name));
    }
    OTE_CHECK(CheckSite(site, "train"));
    rows += site.examples;
    weights += site.weight;
    if (weights > round.capacity) return Broken("its sum could not hold so many examples");
  }
  if (round.pool_rows < rows) return Broken("there were fewer rows than took part");
  for (const api::SiteFailure& failure : round.failed) {
    if (!std::binary_search(round.left_out.begin(), round.left_out.end(), failure.name)) {
      return Broken(fmt::format("{} failed, and was not left out", failure.name));
    }
  }
  rounds_ = round.round;
  model_ = round.model;
  state_ = round.state;
  models_.insert(model_);
  end_.reset();
  return {};
}

Result<void> Verifier::FollowEnd(const api::RecordEnd& end) {
  const bool over = end.status == api::RunStatus::kFinished || end.status == api::RunStatus::kFailed ||
                    end.status == api::RunStatus::kCancelled;
  if (!over) return Broken("it ends as a run that goes on");
  if (end.rounds != rounds_) return Broken(fmt::format("it ends after {} rounds, and has {}", end.rounds, rounds_));
  const bool best = end.status == api::RunStatus::kFinished && spec_.stop.select == api::Selection::kBest;
  if (best ? models_.count(end.model) == 0 : end.model != model_) {
    return Broken("it ends with a model that no round made last");
  }
  end_ = end;
  return {};
}

Result<void> Verifier::Close(ByteView bytes) {
  const auto check = [&]() -> Result<void> {
    OTE_TRY(const Frame frame, ReadFrame(bytes));
    OTE_TRY(const SealBody body, FromCbor<SealBody>(frame.body));
    OTE_CHECK(FollowAuthority(body.successions));
    OTE_TRY(const auto signer, CheckCertificate(body.certificate));
    OTE_CHECK(CheckRoot(signer, kSealDomain, frame));
    if (body.run != run_) return Broken("it is of another run");
    if (body.entries != next_ || body.last != head_) {
      return Broken(fmt::format("it is of a record of {} entries, and {} are here", body.entries, next_));
    }
    return {};
  };
  if (const auto checked = check(); !checked) {
    return Broken(fmt::format("the seal after entry {}: {}", next_ - 1, checked.error().message));
  }
  return {};
}

}  // namespace ote::record
