// bench-link: ote_federate
// Secure aggregation: what a round costs a site and the aggregating node, beside the bare ChaCha20 streams that it
// cannot do without (the floor).
//
// Every message is really made, by every site, and the aggregator takes them all. Only the masked updates are
// shortened: one site masks its update, and the sum has nothing but that in it, since taking masks out costs the same
// whatever the values are. Seconds are the processor's, of one thread; bytes are of the messages' own content, as CBOR.
//
// The watched site does each of its steps several times, from what it had kept before it, and the median counts; the
// floor is taken between them. site_s is all that it does for the masks, with what it keeps read and written as CBOR,
// in a first round, in which every certificate is new to it; later_s in a round in which it knows them. digest_s is the
// digest of its update, which an update without masks has as well.
//
//   build/bench/bin/masks_bench --benchmark_filter=Round/sites:100
#include <benchmark/benchmark.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <random>

#include "core/federate/masks/mask_answer.h"
#include "core/federate/masks/side.h"
#include "crypto/agreement.h"
#include "crypto/digest.h"
#include "crypto/mask_stream.h"
#include "test/fake/mask_cohort.h"

namespace ote {
namespace {

using K = api::TaskKind;

constexpr std::size_t kTimes = 7;

// Of the processor, in this thread: others on the machine do not count.
double Now() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Seconds that `fn` takes.
template <class Fn>
double Seconds(Fn&& fn) {
  const double began = Now();
  fn();
  return Now() - began;
}

double Median(std::vector<double> all) {
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  std::nth_element(all.begin(), middle, all.end());
  return *middle;
}

// Keys as that many streams need, and nothing done with them.
double Floor(std::size_t streams, std::size_t values) {
  Bytes piece(std::min<std::size_t>(64 << 10, values * 4));
  return Seconds([&] {
    for (std::size_t i = 0; i < streams; ++i) {
      crypto::KeyStream stream(Bytes(32, static_cast<std::uint8_t>(i)));
      std::span<std::uint8_t> room(piece);
      for (std::size_t left = values * 4; left > 0; left -= room.size()) {
        room = room.first(std::min(room.size(), left));
        stream.Next(room);
      }
    }
    benchmark::DoNotOptimize(piece.data());
  });
}

// The steps of the site that is watched.
class Watched {
 public:
  Watched(federate::MaskIdentity identity, const crypto::VerifyKey& authority, std::size_t values)
      : knowing_(identity), identity_(std::move(identity)), values_(values) {
    identity_.check = [authority](const std::string&,
                                  const crypto::Certificate& certificate) -> Result<crypto::VerifyKey> {
      OTE_TRY(const auto body, crypto::CheckCertificateSignature(certificate, authority));
      return body.SignKey();
    };
  }

  // A step of messages; what it keeps and answers is of the last time.
  Bytes Step(const api::Task& task) {
    down_ += ToCbor(*task.masks).size();
    federate::SiteAnswer answer;
    std::vector<double> took;
    std::vector<double> later;
    for (std::size_t i = 0; i < kTimes; ++i) {
      answer = {};
      later.push_back(Seconds([&] { fake::Must(federate::AnswerMasks(task, knowing_, kept_, answer)); }));
      answer = {};
      took.push_back(Seconds([&] { fake::Must(federate::AnswerMasks(task, identity_, kept_, answer)); }));
    }
    if (task.kind == K::kMaskShares) known_ = Median(took) - Median(later);
    kept_ = std::move(answer.memory.masks);
    up_ += answer.offer.masks.size();
    steps_[std::string(NameOf(task.kind))] = Median(took);
    return std::move(answer.offer.masks);
  }

  Bytes Train(const api::Task& task, std::size_t streams) {
    down_ += ToCbor(*task.masks).size();
    const std::vector<float> update(values_, 0.01F);
    federate::SiteAnswer answer;
    std::vector<double> took;
    std::vector<double> floor;
    std::vector<double> digest;
    for (std::size_t i = 0; i < kTimes; ++i) {
      answer = {};
      answer.update.reserve((values_ + federate::MaskSideWords()) * sizeof(float));
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(update.data());
      answer.update.assign(bytes, bytes + values_ * sizeof(float));
      floor.push_back(Floor(streams, values_));
      took.push_back(Seconds([&] { fake::Must(federate::MaskAnswer(task, 10, kept_, answer)); }));
      digest.push_back(Seconds([&] { benchmark::DoNotOptimize(crypto::DigestOf(answer.update)); }));
    }
    kept_ = std::move(answer.memory.masks);
    up_ += answer.update.size();
    steps_["train"] = Median(took);
    floor_ = Median(floor);
    digest_ = Median(digest);
    return std::move(answer.update);
  }

  void Report(benchmark::State& state) const {
    double all = 0;
    for (const auto& [step, seconds] : steps_) {
      all += seconds;
      state.counters["site_" + step + "_s"] = seconds;
    }
    state.counters["site_s"] = all;
    state.counters["site_floor_s"] = floor_;
    state.counters["site_ratio"] = all / floor_;
    state.counters["later_s"] = all - known_;
    state.counters["later_ratio"] = (all - known_) / floor_;
    state.counters["digest_s"] = digest_;
    state.counters["site_up"] = static_cast<double>(up_);
    state.counters["site_down"] = static_cast<double>(down_);
  }

 private:
  federate::MaskIdentity knowing_;
  federate::MaskIdentity identity_;  // knows no certificate
  double known_ = 0;                 // seconds that knowing them saves
  std::size_t values_;
  Bytes kept_;
  std::map<std::string, double> steps_;
  double floor_ = 0;
  double digest_ = 0;
  std::size_t up_ = 0;
  std::size_t down_ = 0;
};

void Round(benchmark::State& state) {
  const auto sites = static_cast<std::size_t>(state.range(0));
  const auto values = static_cast<std::size_t>(state.range(1));
  const auto leaving = static_cast<std::size_t>(state.range(2)) * sites / 100;
  fake::MaskCohort cohort(sites, 0);
  const auto all = cohort.All();
  std::vector<std::string> order(all.begin(), all.end());
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  const std::set<std::string> rest(order.begin() + static_cast<std::ptrdiff_t>(leaving), order.end());
  const std::string& watched = order.back();
  Watched site(cohort.sites.at(watched).identity, cohort.authority.Public(), values);
  double root = 0;
  double unmask = 0;
  for (auto _ : state) {
    const auto ask = [&](const std::string& name, const api::Task& task) {
      return name == watched ? site.Step(task) : cohort.Answer(name, task);
    };
    for (const auto& name : all) cohort.keys[name] = ask(name, cohort.KeysTask());
    root += Seconds([&] {
      cohort.root.emplace(fake::Must(federate::RootMasks::Make(cohort.which, cohort.keys, cohort.authority.Check())));
    });
    auto& masks = *cohort.root;
    std::map<std::string, api::Task> tasks;
    const auto prepare = [&](const std::set<std::string>& names, K kind, auto&& part) {
      root += Seconds([&] {
        tasks.clear();
        for (const auto& name : names) tasks[name] = cohort.Task(kind, part(name));
      });
    };
    prepare(all, K::kMaskShares, [&](const auto& name) { return masks.ForShares(name); });
    for (const auto& [name, task] : tasks) {
      const Bytes deal = ask(name, task);
      root += Seconds([&] { fake::Must(masks.TakeDeal(name, deal)); });
    }
    root += Seconds([&] { masks.Train(masks.Dealt()); });
    prepare(all, K::kTrain, [&](const auto& name) { return masks.ForTraining(name, 20); });
    Bytes update;
    for (const auto& [name, task] : tasks) {
      if (name == watched) {
        update = site.Train(task, masks.plan().group);
      } else if (rest.count(name) != 0) {
        fake::Must(federate::MaskWords(task, cohort.sites.at(name).kept, {}));
      }
    }
    federate::MaskedSum sum(update.size() / 4);
    root += Seconds([&] {
      for (std::size_t i = 0; i < rest.size(); ++i) fake::Must(sum.Fold(update, 1));
      masks.Close(rest);
    });
    prepare(rest, K::kMaskConsent, [&](const auto&) { return masks.ForConsent(); });
    for (const auto& [name, task] : tasks) {
      const Bytes consent = ask(name, task);
      root += Seconds([&] { fake::Must(masks.TakeConsent(name, consent)); });
    }
    // One task for all: a thousand of them would be a thousand times the same signatures.
    api::Task last;
    root += Seconds([&] { last = cohort.Task(K::kMaskUnmask, masks.ForUnmask()); });
    for (const auto& name : rest) {
      const Bytes shares = ask(name, last);
      root += Seconds([&] { fake::Must(masks.TakeShares(name, shares)); });
    }
    unmask = Seconds([&] { fake::Must(masks.Unmask(sum)); });
    root += unmask;
  }
  const std::size_t group = cohort.root->plan().group;
  // The aggregator's streams: a seed for each that stayed, and for each that left the pairs with those that did.
  std::size_t streams = rest.size();
  if (leaving > 0) streams += leaving * (group - 1) * (sites - leaving) / (sites - 1);
  const double sample = std::min<double>(static_cast<double>(streams), 200);
  const double root_floor = Floor(static_cast<std::size_t>(sample), values) * static_cast<double>(streams) / sample;
  site.Report(state);
  state.counters["group"] = static_cast<double>(group);
  state.counters["root_s"] = root;
  state.counters["root_unmask_s"] = unmask;
  state.counters["root_floor_s"] = root_floor;
}
BENCHMARK(Round)
    ->ArgNames({"sites", "values", "leaving"})
    ->ArgsProduct({{10, 100, 1000}, {10'000, 1'000'000}, {0, 10, 30}})
    ->Iterations(1)
    ->Unit(benchmark::kSecond);

// A site's masks alone: so many streams laid over an update of a million values.
void LayStreams(benchmark::State& state) {
  std::vector<std::uint32_t> words(1'000'000);
  const auto streams = static_cast<std::size_t>(state.range(0));
  std::vector<double> took;
  std::vector<double> floor;
  for (auto _ : state) {
    floor.push_back(Floor(streams, words.size()));
    took.push_back(Seconds([&] {
      crypto::MaskLayer layer;
      for (std::size_t i = 0; i < streams; ++i) {
        layer.Take(Bytes(32, static_cast<std::uint8_t>(i)),
                   i % 2 == 0 ? crypto::MaskSign::kAdd : crypto::MaskSign::kSubtract);
      }
      layer.Next(words);
    }));
    benchmark::DoNotOptimize(words.data());
  }
  state.counters["lay_s"] = Median(took);
  state.counters["floor_s"] = Median(floor);
  state.counters["ratio"] = Median(took) / Median(floor);
}
BENCHMARK(LayStreams)->Arg(1)->Arg(10)->Arg(100)->Iterations(15);
void QuantiseOne(benchmark::State& state) {
  const std::vector<float> values(1'000'000, 0.01F);
  std::vector<std::uint32_t> words(values.size());
  std::vector<double> took;
  for (auto _ : state) {
    took.push_back(Seconds([&] {
      benchmark::DoNotOptimize(federate::Quantise(values, {20, 1, 10}, Bytes(32, 1), words));
    }));
  }
  state.counters["quantise_s"] = Median(took);
}
BENCHMARK(QuantiseOne)->Iterations(15);
// What a site's round is made of beside them, one of each.
void VerifyOne(benchmark::State& state) {
  const auto key = crypto::SigningKey::Generate();
  const Bytes message(300, 1);
  const auto signature = key.Sign("bench", message);
  std::vector<double> took;
  for (auto _ : state) {
    took.push_back(Seconds([&] { fake::Must(crypto::Verify(key.Public(), "bench", message, signature)); }));
  }
  state.counters["verify_s"] = Median(took);
}
BENCHMARK(VerifyOne)->Iterations(200);
void AgreeOne(benchmark::State& state) {
  const auto own = crypto::TransportKey::Generate();
  const auto other = crypto::TransportKey::Generate();
  std::vector<double> took;
  for (auto _ : state) {
    took.push_back(Seconds([&] { fake::Must(crypto::AgreeKey(own, other.Public(), Bytes(48, 1))); }));
  }
  state.counters["agree_s"] = Median(took);
}
BENCHMARK(AgreeOne)->Iterations(200);

}  // namespace
}  // namespace ote
