#include <algorithm>
#include <catch2/catch.hpp>

#include "test/fake/mask_cohort.h"

namespace ote::federate {
namespace {

using fake::MaskCohort;
using fake::Must;
using Names = std::set<std::string>;

std::vector<std::uint32_t> Values(const MaskedSum& sum) { return {sum.values().begin(), sum.values().end()}; }

// `names` without the first `count`, or the last.
Names WithoutFirst(Names names, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) names.erase(names.begin());
  return names;
}
Names WithoutLast(Names names, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) names.erase(std::prev(names.end()));
  return names;
}

template <class T>
bool FailsWith(const Result<T>& result, ErrorId id) {
  if (result) return false;
  INFO(result.error().message);
  CHECK(result.error().id == id);
  return result.error().id == id;
}

TEST_CASE("the unmasked sum is that of the updates, bit for bit, for 3 to 50 sites") {
  for (std::size_t n = 3; n <= 50; n += n < 12 ? 1 : 19) {
    MaskCohort cohort(n);
    const Names all = cohort.All();
    cohort.Keys(all);
    cohort.Shares(all);
    MaskedSum sum = cohort.Train(all);
    CHECK(Values(sum) != cohort.PlainSum(all));
    cohort.Consents(all);
    cohort.Gives(all);
    REQUIRE(cohort.root->CanUnmask());
    Must(cohort.root->Unmask(sum));
    CHECK(Values(sum) == cohort.PlainSum(all));
  }
}

TEST_CASE("as many sites as were set may leave at any step, one after the other, and the sum is that of the rest") {
  for (const std::size_t n : {std::size_t{3}, std::size_t{4}, std::size_t{7}, std::size_t{10}}) {
    const MaskCohort probe(n);
    const MaskPlan plan = Must(PlanMasks(static_cast<std::int64_t>(n), MaskCohort::Spec()));
    const std::size_t gone = n - plan.quorum;
    REQUIRE(gone >= static_cast<std::size_t>(0.3 * static_cast<double>(n) + 1e-9));
    for (int step = 0; step < 4; ++step) {
      for (const bool first : {true, false}) {
        MaskCohort cohort(n);
        cohort.restarts = true;  // and each site that stays is restarted before each step
        const Names all = cohort.All();
        const Names rest = first ? WithoutFirst(all, gone) : WithoutLast(all, gone);
        cohort.Keys(all);
        cohort.Shares(step == 0 ? rest : all);
        const Names& trained = step <= 1 ? rest : all;
        MaskedSum sum = cohort.Train(trained);
        REQUIRE(cohort.root->Enough(trained));
        cohort.Consents(step <= 2 ? rest : all);
        REQUIRE(cohort.root->Agreed());
        cohort.Gives(rest);
        REQUIRE(cohort.root->CanUnmask());
        Must(cohort.root->Unmask(sum));
        CHECK(Values(sum) == cohort.PlainSum(trained));
      }
    }
  }
}

TEST_CASE("with one site too few nothing can be unmasked, and the root names who could help") {
  MaskCohort cohort(10);
  const Names all = cohort.All();
  cohort.Keys(all);
  cohort.Shares(all);
  MaskedSum sum = cohort.Train(all);
  cohort.Consents(all);
  cohort.Gives(WithoutFirst(all, 10 - cohort.root->plan().needed + 1));
  CHECK_FALSE(cohort.root->CanUnmask());
  CHECK(cohort.root->Lacking().size() == 10 - cohort.root->plan().needed + 1);
  CHECK(cohort.root->Lacking().front() == "site-0000");
  CHECK(FailsWith(cohort.root->Unmask(sum), ErrorId::kMaskTooFew));
}

TEST_CASE("a large cohort shares with some neighbours only, and 30 % of it may leave during the training") {
  api::MasksSpec spec = MaskCohort::Spec();
  spec.colluding = 0.01;
  MaskCohort cohort(100, 3, spec);
  const Names all = cohort.All();
  cohort.Keys(all);
  REQUIRE_FALSE(cohort.root->plan().Complete());
  cohort.Shares(all);
  std::vector<std::string> order(all.begin(), all.end());
  std::shuffle(order.begin(), order.end(), std::mt19937(5));
  const Names rest(order.begin() + 30, order.end());
  MaskedSum sum = cohort.Train(rest);
  REQUIRE(cohort.root->Enough(rest));
  cohort.Consents(rest);
  cohort.Gives(rest);
  REQUIRE(cohort.root->CanUnmask());
  Must(cohort.root->Unmask(sum));
  CHECK(Values(sum) == cohort.PlainSum(rest));
}

TEST_CASE("a relay adds masked sums of its subtree, and the root gets one of each") {
  MaskCohort cohort(6);
  const Names all = cohort.All();
  cohort.Keys(all);
  cohort.Shares(all);
  MaskedSum left(9);
  MaskedSum right(9);
  int i = 0;
  for (const std::string& name : all) {
    const auto words = cohort.Masked(name);
    Must(
        (i++ % 2 == 0 ? left : right).Fold({reinterpret_cast<const std::uint8_t*>(words.data()), words.size() * 4}, 7));
  }
  cohort.root->Close(all);
  Must(left.Merge(Must(MaskedSum::Restore(right.Save()))));
  CHECK(left.weight() == 42);
  CHECK(left.updates() == 6);
  cohort.Consents(all);
  cohort.Gives(all);
  Must(cohort.root->Unmask(left));
  CHECK(Values(left) == cohort.PlainSum(all));
  CHECK(FailsWith(left.Merge(MaskedSum(8)), ErrorId::kUpdateShape));
}

TEST_CASE("one masked update by itself looks like nothing: its values are another's for another seed") {
  MaskCohort a(5, 1000);
  MaskCohort b(5, 1000);
  for (MaskCohort* cohort : {&a, &b}) {
    cohort->Keys(cohort->All());
    cohort->Shares(cohort->All());
  }
  REQUIRE(a.sites.at("site-0000").plain == b.sites.at("site-0000").plain);
  const auto one = a.Masked("site-0000");
  const auto two = b.Masked("site-0000");
  std::size_t same = 0;
  for (std::size_t i = 0; i < one.size(); ++i) same += one[i] == two[i] ? 1U : 0U;
  CHECK(same < 3);
}

TEST_CASE("a root that was restarted goes on from what the sites had answered") {
  MaskCohort cohort(7);
  const Names all = cohort.All();
  const Names rest = WithoutFirst(all, 2);
  cohort.Keys(all);
  cohort.Shares(all);
  MaskedSum sum = cohort.Train(rest);
  std::map<std::string, Bytes> consents;
  for (const std::string& name : rest) {
    consents[name] = cohort.Answer(name, cohort.Task(api::TaskKind::kMaskConsent, cohort.root->ForConsent()));
  }
  RootMasks again = Must(RootMasks::Make(cohort.which, cohort.keys, cohort.authority.Check()));
  for (const auto& [name, deal] : cohort.deals) Must(again.TakeDeal(name, deal));
  again.Train(again.Dealt());
  again.Close(rest);
  for (const auto& [name, consent] : consents) Must(again.TakeConsent(name, consent));
  cohort.root.emplace(std::move(again));
  cohort.Gives(rest);
  Must(cohort.root->Unmask(sum));
  CHECK(Values(sum) == cohort.PlainSum(rest));
}

TEST_CASE("a site that lies about a share is found, and the others' shares do") {
  MaskCohort cohort(7);
  const Names all = cohort.All();
  const Names rest = WithoutFirst(all, 1);
  cohort.Keys(all);
  cohort.Shares(all);
  MaskedSum sum = cohort.Train(rest);
  cohort.Consents(rest);
  const std::string liar = "site-0003";
  auto shares = Must(FromCbor<api::MaskShares>(
      cohort.Answer(liar, cohort.Task(api::TaskKind::kMaskUnmask, cohort.root->ForUnmask()))));
  shares.shares[2].share[7] ^= 1;
  const auto taken = cohort.root->TakeShares(liar, ToCbor(shares));
  REQUIRE(FailsWith(taken, ErrorId::kMaskShareInvalid));
  CHECK(taken.error().message.find("site-0003: its share of site-0002") != std::string::npos);
  Names honest = rest;
  honest.erase(liar);
  cohort.Gives(honest);
  Must(cohort.root->Unmask(sum));
  CHECK(Values(sum) == cohort.PlainSum(rest));
}

TEST_CASE("a site that promises another secret than it deals is found, and named") {
  MaskCohort cohort(5);
  const Names all = cohort.All();
  cohort.Keys(all);
  const std::string liar = "site-0002";
  for (const std::string& name : all) {
    auto deal = Must(FromCbor<api::MaskDeal>(
        cohort.Answer(name, cohort.Task(api::TaskKind::kMaskShares, cohort.root->ForShares(name)))));
    if (name == liar) deal.seed_commitment[0] ^= 1;
    Must(cohort.root->TakeDeal(name, ToCbor(deal)));
  }
  cohort.root->Train(cohort.root->Dealt());
  MaskedSum sum = cohort.Train(all);
  cohort.Consents(all);
  cohort.Gives(all);
  const auto unmasked = cohort.root->Unmask(sum);
  REQUIRE(FailsWith(unmasked, ErrorId::kMaskForged));
  CHECK(unmasked.error().message.find("site-0002") == 0);
}

TEST_CASE("a share that does not open is passed over, and the round goes on with those of the others") {
  MaskCohort cohort(5);
  const Names all = cohort.All();
  cohort.Keys(all);
  for (const std::string& name : all) {
    auto deal = Must(FromCbor<api::MaskDeal>(
        cohort.Answer(name, cohort.Task(api::TaskKind::kMaskShares, cohort.root->ForShares(name)))));
    if (name == "site-0001") deal.parcels[3].sealed[70] ^= 1;
    Must(cohort.root->TakeDeal(name, ToCbor(deal)));
  }
  cohort.root->Train(cohort.root->Dealt());
  MaskedSum sum = cohort.Train(all);
  cohort.Consents(all);
  cohort.Gives(all);
  Must(cohort.root->Unmask(sum));
  CHECK(Values(sum) == cohort.PlainSum(all));
}

}  // namespace
}  // namespace ote::federate
