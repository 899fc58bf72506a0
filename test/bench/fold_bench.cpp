// bench-link: ote_parcel ote_federate
// What a round costs its root, in bytes and in seconds of work, for 8, 64 and 512 leaves under 8 relays: with every
// update carried to it, and with the relays folding. The run machine, the seals, the digests and the sums are the real
// ones; the leaves are scripted, nothing goes over a socket or a disk. Bulk bytes are those of the sealed streams;
// control bytes are of the offers, of the work given to relays and of a request and an answer for each piece, without
// parcels, signatures and tasks. Beside it what the machine's memory does with as many bytes.
//
//   fold_bench [MOST LEAVES]
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/api/fold.h"
#include "core/federate/run_machine.h"
#include "core/parcel/fold_seals.h"
#include "core/parcel/streams.h"
#include "crypto/digest.h"

namespace {

using namespace ote;
using federate::Accumulator;

constexpr int kRelays = 8;
constexpr std::int64_t kFeatures = 996;
constexpr std::size_t kCount = (kFeatures + 1) * 1000 + 1001 * 3;  // values in an update
constexpr std::int64_t kPiece = 1 << 20;

[[noreturn]] void Give(const std::string& what) {
  std::fprintf(stderr, "fold_bench: %s\n", what.c_str());
  std::exit(1);
}
template <class T>
T Must(Result<T> result) {
  if (!result) Give(result.error().message);
  return std::move(*result);
}

// Of the processor, so that other work of the machine does not count.
double Seconds() {
  timespec time{};
  if (::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) != 0) Give("no clock");
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// The update of a leaf: its own, and cheap to make.
Bytes Update(int leaf) {
  static const std::vector<float> base = [] {
    std::vector<float> out(kCount);
    std::uint32_t state = 1;
    for (float& value : out)
      value = static_cast<float>((state = state * 1664525U + 1013904223U) >> 8) / (1 << 24) - 0.5F;
    return out;
  }();
  Bytes out(kCount * sizeof(float));
  std::memcpy(out.data(), base.data(), out.size());
  const float own = static_cast<float>(leaf) / 1024;
  std::memcpy(out.data(), &own, sizeof own);
  return out;
}

Bytes Sealed(crypto::Sealer sealer, ByteView plain) {
  Bytes out(crypto::SealedSize(plain.size()));
  std::copy(sealer.Header().begin(), sealer.Header().end(), out.begin());
  std::size_t at = crypto::kSealedHeader;
  for (bool last = false; !last;) {
    const auto size = std::min(plain.size(), crypto::kSealedChunk);
    last = size == plain.size();
    sealer.Next(plain.first(size), last, std::span(out).subspan(at, size + crypto::kSealedTag));
    plain = plain.subspan(size);
    at += size + crypto::kSealedTag;
  }
  return out;
}

Bytes Opened(crypto::Opener opener, ByteView sealed) {
  Bytes out(Must(crypto::PlainSize(sealed.size())));
  ByteView rest = sealed.subspan(crypto::kSealedHeader);
  std::span<std::uint8_t> into = out;
  for (std::uint64_t index = 0; !rest.empty(); ++index) {
    const auto size = std::min(rest.size(), crypto::kSealedChunk + crypto::kSealedTag);
    const auto opened =
        opener.Open(index, size == rest.size(), rest.first(size), into.first(size - crypto::kSealedTag));
    if (!opened) Give("a stream did not open");
    rest = rest.subspan(size);
    into = into.subspan(size - crypto::kSealedTag);
  }
  return out;
}

struct Cost {
  double root = 0;   // seconds
  double relay = 0;  // of all relays together
  std::int64_t bulk = 0;
  std::int64_t control = 0;  // offers, and what asks for bulk
  std::int64_t fetches = 0;
  std::string model;
};

class Round {
 public:
  Round(int leaves, api::RelayKind relays) {
    spec_.dataset = "rows";
    spec_.model.kind = api::ModelKind::kMlp;
    spec_.model.hidden = {1000};
    spec_.rounds = 1;
    spec_.sites.minimum = leaves;
    spec_.relays = relays;
    for (int i = 0; i < leaves; ++i) {
      federate::Site site;
      site.name = "leaf-" + std::to_string(i);
      site.reachable = true;
      site.via = "relay-" + std::to_string(i % kRelays);
      site.dataset = api::DatasetSummary{.name = "rows",
                                         .train_rows = 100 + i,
                                         .test_rows = 10,
                                         .features = kFeatures,
                                         .classes = 3,
                                         .class_names = {"a", "b", "c"},
                                         .schema = "columns"};
      leaf_of_[site.name] = i;
      sites_.push_back(std::move(site));
    }
  }

  Cost Run() {
    federate::Outcome outcome;
    federate::Limits limits;
    federate::Artifacts artifacts{[this](const std::string& digest) -> Result<Bytes> { return artifacts_.at(digest); },
                                  {}};
    auto machine = federate::RunMachine::Start("run-1", spec_, "", sites_, limits, artifacts, {}, &outcome);
    if (!machine) Give(machine.error().message);
    machine_.emplace(std::move(*machine));
    Perform(outcome);
    while (!events_.empty() && machine_->View().rounds.empty()) {
      auto next = std::move(events_.front());
      events_.pop_front();
      next();
    }
    if (machine_->View().rounds.empty()) Give("the round did not close: " + machine_->View().message);
    if (std::ssize(machine_->View().rounds[0].participants) != std::ssize(sites_)) Give("a leaf was left out");
    cost_.model = machine_->View().model.digest;
    return cost_;
  }

 private:
  void Handle(const federate::Event& event) {
    const double began = Seconds();
    auto outcome = machine_->Handle(event, {});
    cost_.root += Seconds() - began;
    Perform(outcome);
  }

  void Perform(federate::Outcome& outcome) {
    for (auto& action : outcome.actions) {
      if (auto* kept = std::get_if<federate::StoreArtifact>(&action)) {
        artifacts_[kept->digest] = std::move(kept->bytes);
      } else if (auto* dropped = std::get_if<federate::DropArtifact>(&action)) {
        artifacts_.erase(dropped->digest);
      } else if (auto* task = std::get_if<federate::SendTask>(&action)) {
        if (task->task.kind != api::TaskKind::kTrain) continue;
        events_.emplace_back([this, site = task->site] { Offer(site); });
      } else if (auto* update = std::get_if<federate::FetchUpdate>(&action)) {
        events_.emplace_back([this, wanted = *update] { Fetch(wanted); });
      } else if (auto* sum = std::get_if<federate::FetchSum>(&action)) {
        events_.emplace_back([this, wanted = *sum] { Fetch(wanted); });
      }
    }
  }

  void Offer(const std::string& site) {
    const Bytes update = Update(leaf_of_.at(site));
    api::UpdateOffer offer;
    offer.run = "run-1";
    offer.round = 1;
    offer.digest = crypto::DigestOf(update).ToString();
    offer.size = static_cast<std::int64_t>(update.size());
    offer.examples = 100 + leaf_of_.at(site);
    offer.steps = 1;
    cost_.control += std::ssize(ToCbor(offer));
    offers_[site] = offer;
    Handle(federate::Offered{site, offer});
  }

  Bytes Copy(const std::string& site) const {
    return Sealed(Must(parcel::SealerOfUpdate(offers_.at(site), site, key_.Public().bytes, secret_)),
                  Update(leaf_of_.at(site)));
  }

  // One artifact.get for each piece.
  void Bring(ByteView copy) {
    cost_.bulk += std::ssize(copy);
    const std::string digest(71, 'x');
    for (std::int64_t at = 0; at < std::ssize(copy); at += kPiece) {
      ++cost_.fetches;
      cost_.control +=
          std::ssize(ToCbor(api::SealedCopy{digest, kPiece})) + std::ssize(ToCbor(api::SealedCopy{digest, at}));
    }
  }

  void Fetch(const federate::FetchUpdate& wanted) {
    const Bytes copy = Copy(wanted.site);
    Bring(copy);
    const double began = Seconds();
    const auto header = ByteView(copy).first(crypto::kSealedHeader);
    artifacts_[wanted.digest] =
        Opened(Must(parcel::OpenerOfUpdate(offers_.at(wanted.site), wanted.site, key_, header)), copy);
    if (crypto::DigestOf(artifacts_[wanted.digest]).ToString() != wanted.digest) Give("another update was opened");
    cost_.root += Seconds() - began;
    Handle(federate::Fetched{wanted.site, 1, wanted.digest, artifacts_[wanted.digest]});
  }

  void Fetch(const federate::FetchSum& wanted) {
    std::map<std::string, Bytes> copies;
    for (const auto& item : wanted.items) copies[item.site] = {};
    double began = Seconds();
    const Bytes run_key(key_.Public().bytes.begin(), key_.Public().bytes.end());
    const auto count = static_cast<std::int64_t>(wanted.form.values);
    api::FoldWork work{"run-1", 1, count, wanted.grid.exponent, wanted.grid.capacity, run_key, {}};
    work.size = static_cast<std::int64_t>(federate::SizeOf(wanted.form));
    for (const auto& item : wanted.items) {
      // The header came with the offer.
      const double paused = Seconds();
      const Bytes header = HeaderOf(item.site, run_key);
      began += Seconds() - paused;
      const auto key = Must(parcel::KeyOfUpdate(offers_.at(item.site), item.site, key_, header));
      const auto size = static_cast<std::int64_t>(crypto::SealedSize(static_cast<std::uint64_t>(item.size)));
      work.items.push_back(
          {item.site, {item.digest, size}, item.digest, item.weight, Bytes(key.View().begin(), key.View().end())});
    }
    const auto request = Must(parcel::SealWork(work, wanted.via, relay_.Public()));
    cost_.root += Seconds() - began;
    cost_.control += std::ssize(ToCbor(request)) + static_cast<std::int64_t>(work.items.size() * crypto::kSealedHeader);

    // At the relay.
    Accumulator sum(kCount, wanted.grid);
    api::FoldReply reply;
    for (const auto& item : Must(parcel::OpenWork(request, wanted.via, relay_)).items) {
      const Bytes copy = Copy(item.site);
      began = Seconds();
      const auto header = ByteView(copy).first(crypto::kSealedHeader);
      const Bytes plain = Opened(Must(crypto::Opener::WithStreamKey(item.key, header)), copy);
      if (crypto::DigestOf(plain).ToString() != item.digest) Give("another update was opened");
      if (!sum.FoldBytes(plain, item.weight)) Give("an update was not folded");
      reply.folded.push_back(item.site);
      cost_.relay += Seconds() - began;
    }
    began = Seconds();
    const Bytes saved = sum.Save();
    reply.digest = crypto::DigestOf(saved).ToString();
    const Bytes sealed = Sealed(Must(parcel::SealerOfSum(work, wanted.via, reply.digest)), saved);
    reply.sum = {crypto::DigestOf(sealed).ToString(), std::ssize(sealed)};
    cost_.relay += Seconds() - began;
    cost_.control += std::ssize(ToCbor(reply));

    Bring(sealed);
    began = Seconds();
    const auto header = ByteView(sealed).first(crypto::kSealedHeader);
    const Bytes opened = Opened(Must(parcel::OpenerOfSum("run-1", 1, wanted.via, reply.digest, key_, header)), sealed);
    if (crypto::DigestOf(opened).ToString() != reply.digest) Give("another sum was opened");
    cost_.root += Seconds() - began;
    Handle(federate::FetchedSum{wanted.id, reply.folded, {}, opened});
  }

  Bytes HeaderOf(const std::string& site, ByteView run_key) const {
    const auto sealer = Must(parcel::SealerOfUpdate(offers_.at(site), site, run_key, secret_));
    return {sealer.Header().begin(), sealer.Header().end()};
  }

  api::RunSpec spec_;
  std::vector<federate::Site> sites_;
  std::map<std::string, int> leaf_of_;
  std::map<std::string, api::UpdateOffer> offers_;
  std::map<std::string, Bytes> artifacts_;
  std::deque<std::function<void()>> events_;
  std::optional<federate::RunMachine> machine_;
  crypto::TransportKey key_ = crypto::TransportKey::Generate();
  crypto::TransportKey relay_ = crypto::TransportKey::Generate();
  crypto::SecretBytes secret_ = crypto::SecretBytes::Random(32);
  Cost cost_;
};

// What memory alone does: a copy of an update, and sums added to sums, in bytes read a second.
void ShowLimits() {
  const Bytes update = Update(0);
  Bytes other(update.size());
  std::vector<std::int64_t> a(kCount, 1);
  const std::vector<std::int64_t> b(kCount, 2);
  double copy = 1e9;
  double add = 1e9;
  for (int i = 0; i < 20; ++i) {
    double began = Seconds();
    std::memcpy(other.data(), update.data(), update.size());
    copy = std::min(copy, Seconds() - began);
    began = Seconds();
    for (std::size_t k = 0; k < kCount; ++k) a[k] += b[k];
    add = std::min(add, Seconds() - began);
  }
  if (other[5] != update[5] || a[7] != 41) Give("memory");
  std::printf("memory: an update copied in %.2f ms (%.1f GB/s), a sum added to another in %.2f ms (%.1f GB/s)\n",
              copy * 1e3, static_cast<double>(update.size()) / copy / 1e9, add * 1e3,
              static_cast<double>(kCount * 8) / add / 1e9);
}

}  // namespace

int main(int argc, char** argv) {
  const int most = argc > 1 ? std::atoi(argv[1]) : 512;
  crypto::Init();
  std::printf("%zu parameters, an update of %.1f MB, a sum of %.1f MB\n", kCount, static_cast<double>(kCount) * 4e-6,
              static_cast<double>(Accumulator::SavedSize(kCount)) * 1e-6);
  ShowLimits();
  std::printf("%7s %9s %12s %12s %9s %11s %12s\n", "leaves", "relays", "bulk MB", "control kB", "fetches", "root s",
              "a relay s");
  for (const int leaves : {8, 64, 512}) {
    if (leaves > most) break;
    std::string model;
    for (const auto relays : {api::RelayKind::kCarry, api::RelayKind::kFold}) {
      const Cost cost = Round(leaves, relays).Run();
      if (!model.empty() && model != cost.model) Give("the models differ");
      model = cost.model;
      std::printf("%7d %9s %12.1f %12.1f %9lld %11.3f %12.3f\n", leaves, std::string(NameOf(relays)).c_str(),
                  static_cast<double>(cost.bulk) * 1e-6, static_cast<double>(cost.control) * 1e-3,
                  static_cast<long long>(cost.fetches), cost.root, cost.relay / kRelays);
      std::fflush(stdout);
    }
  }
  return 0;
}
