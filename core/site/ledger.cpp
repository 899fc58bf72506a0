#include "core/site/ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/federate/privacy/cost.h"

namespace ote::site {
namespace {

using federate::EpsilonOf;
using federate::EpsilonText;
using federate::RdpCurve;

// Tasks that were charged and are done again; a site has few at a time.
constexpr std::size_t kMostPending = 256;

bool Has(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

void Note(std::vector<std::string>& all, const std::string& one) {
  if (!one.empty() && !Has(all, one)) all.push_back(one);
}

// Whether they are about the same rows, as far as can be told.
bool Stands(const PrivacyAccount& account, const api::Dataset& dataset) {
  // Nothing empty was ever noted.
  return Has(account.names, dataset.name) || Has(account.paths, dataset.path) || Has(account.digests, dataset.digest);
}

RdpCurve Spent(const PrivacyAccount& account) {
  return account.costs.empty() ? RdpCurve() : RdpCurve::From(account.orders, account.costs);
}

void Keep(PrivacyAccount& account, const RdpCurve& costs) {
  account.orders.assign(federate::RdpOrders().begin(), federate::RdpOrders().end());
  account.costs.assign(costs.At().begin(), costs.At().end());
}

// The stricter of the two.
api::PrivacyTerms Stricter(const api::PrivacyTerms& a, const api::PrivacyTerms& b) {
  if (!a.epsilon) return b;
  if (!b.epsilon) return a;
  api::PrivacyTerms out;
  out.epsilon = std::min(*a.epsilon, *b.epsilon);
  out.delta = std::min(a.delta, b.delta);
  out.noise = std::max(a.noise, b.noise);
  return out;
}

void Merge(PrivacyAccount& into, const PrivacyAccount& other) {
  for (const auto& name : other.names) Note(into.names, name);
  for (const auto& path : other.paths) Note(into.paths, path);
  for (const auto& digest : other.digests) Note(into.digests, digest);
  for (const auto& task : other.pending) Note(into.pending, task);
  RdpCurve both = Spent(into);
  both += Spent(other);
  Keep(into, both);
  into.rounds += other.rounds;
  into.unprotected += other.unprotected;
  into.terms = Stricter(into.terms, other.terms);
}

tl::unexpected<Error> NeedsNoise(const api::Dataset& dataset, std::string_view what) {
  return Fail(ErrorId::kBudgetNeedsNoise,
              fmt::format("data set {}: it has a privacy budget, and {}", dataset.name, what),
              "set privacy.kind in the run file; or ask the site's operator");
}

// Whether an account with a budget lets the task be answered at all.
Result<void> CheckKind(const api::PrivacyTerms& terms, const api::Task& task, const api::Dataset& dataset) {
  if (task.kind == api::TaskKind::kSurvey) return NeedsNoise(dataset, "statistics would be told without noise");
  if (!task.privacy.Private()) {
    return NeedsNoise(dataset, fmt::format("round {} of run {} has no noise", task.round, task.run));
  }
  if (task.privacy.kind >= terms.noise) return {};
  return Fail(ErrorId::kNoiseNeeded,
              fmt::format("data set {}: its site wants {} noise, and the run's is {}", dataset.name,
                          NameOf(terms.noise), NameOf(task.privacy.kind)),
              fmt::format("set privacy.kind: {} in the run file", NameOf(terms.noise)));
}

Result<void> Charge(PrivacyAccount& account, const api::Task& task, const api::Dataset& dataset) {
  const double before = EpsilonOf(Spent(account), account.terms.delta);
  RdpCurve costs = Spent(account);
  costs += federate::SiteRoundCost(task.privacy);
  const double after = EpsilonOf(costs, account.terms.delta);
  if (account.terms.epsilon && !(after <= *account.terms.epsilon)) {
    return Fail(
        ErrorId::kBudgetSpent,
        fmt::format("data set {}: round {} of run {} would bring it to {}; {:.4g} of its budget of {:g} is spent",
                    dataset.name, task.round, task.run, EpsilonText(after, account.terms.delta), before,
                    *account.terms.epsilon),
        "the site's operator sees it with ote data show " + dataset.name);
  }
  Keep(account, costs);
  ++account.rounds;
  return {};
}

}  // namespace

std::string PrivacyAccount::Key() const { return std::to_string(id.value); }

Result<std::optional<PrivacyAccount>> Ledger::Find(const api::Dataset& dataset) {
  OTE_TRY(const auto all, store_.List<PrivacyAccount>());
  std::optional<PrivacyAccount> found;
  for (const auto& account : all) {
    if (!Stands(account, dataset)) continue;
    if (found) {
      Merge(*found, account);
    } else {
      found = account;
    }
  }
  return found;
}

Result<PrivacyAccount> Ledger::Open(const api::Dataset& dataset) {
  OTE_TRY(auto found, Find(dataset));
  if (found) {
    OTE_TRY(const auto all, store_.List<PrivacyAccount>());
    for (const auto& account : all) {
      const bool merged = account.id.value != found->id.value && Stands(account, dataset);
      if (merged) OTE_CHECK(store_.Remove<PrivacyAccount>(account.Key()));
    }
  } else {
    OTE_TRY(const auto number, store_.NextNumber(PrivacyAccount::kKind));
    found.emplace();
    found->id = BigId{static_cast<std::uint64_t>(number)};
  }
  Note(found->names, dataset.name);
  Note(found->paths, dataset.path);
  Note(found->digests, dataset.digest);
  return std::move(*found);
}

Result<void> Ledger::Change(const api::Dataset& dataset, const AccountChange& change) {
  return store_.Transaction([&]() -> Result<void> {
    OTE_TRY(auto account, Open(dataset));
    OTE_CHECK(change(account));
    return store_.Put(account);
  });
}

Result<Admission> Ledger::Admit(const api::Task& task, const api::Dataset& dataset) {
  if (api::IsMaskStep(task.kind)) return Admission{};  // tells nothing of the rows
  OTE_TRY(const auto account, Find(dataset));
  const bool bounded = account && account->terms.epsilon;
  if (bounded) OTE_CHECK(CheckKind(account->terms, task, dataset));
  const Admission admission{bounded || task.privacy.HidesFromRoot()};
  if (!task.privacy.Private() || task.kind != api::TaskKind::kTrain) return admission;
  const auto digest = api::TaskDigest(task);
  if (account && Has(account->pending, digest)) return admission;
  const AccountChange charge = [&](PrivacyAccount& open) -> Result<void> {
    OTE_CHECK(Charge(open, task, dataset));
    open.pending.push_back(digest);
    if (open.pending.size() > kMostPending) open.pending.erase(open.pending.begin());
    return {};
  };
  OTE_CHECK(Change(dataset, charge));
  return admission;
}

Result<void> Ledger::Answered(const api::Task& task, const api::Dataset& dataset) {
  if (api::IsMaskStep(task.kind)) return {};
  OTE_TRY(const auto account, Find(dataset));
  if (task.privacy.Private() && !account) return {};
  // One without noise is counted, for whoever sets a budget later.
  return Change(dataset, [&](PrivacyAccount& open) -> Result<void> {
    if (!task.privacy.Private()) {
      ++open.unprotected;
    } else if (task.kind == api::TaskKind::kTrain) {
      std::erase(open.pending, api::TaskDigest(task));
    }
    return {};
  });
}

Result<void> Ledger::AdmitStatistics(const api::Dataset& dataset) {
  OTE_TRY(const auto account, Find(dataset));
  if (account && account->terms.epsilon) return NeedsNoise(dataset, "statistics would be told without noise");
  return {};
}

Result<void> Ledger::AdmitOutput(const api::Dataset& dataset) {
  OTE_TRY(const auto account, Find(dataset));
  if (!account || !account->terms.epsilon) return {};
  return Fail(
      ErrorId::kBudgetNeedsNoise,
      fmt::format("data set {}: it has a privacy budget, and there is no noise in what a trainer prints", dataset.name),
      "it is shown at the site itself: ote fl logs RUN --cluster CLUSTER");
}

Result<void> Ledger::Set(const api::Dataset& dataset, const api::PrivacyTerms& terms) {
  return Change(dataset, [&](PrivacyAccount& account) -> Result<void> {
    account.terms = terms;
    return {};
  });
}

Result<void> Ledger::Forget(const api::Dataset& dataset) {
  return Change(dataset, [&](PrivacyAccount& account) -> Result<void> {
    account.costs.clear();
    account.orders.clear();
    account.rounds = 0;
    account.unprotected = 0;
    account.pending.clear();
    return {};
  });
}

Result<api::Dataset> Ledger::Settle(const api::DataAddRequest& asked, api::Dataset dataset) {
  if (asked.forget_spending) OTE_CHECK(Forget(dataset));
  if (asked.privacy) OTE_CHECK(Set(dataset, *asked.privacy));
  OTE_TRY(dataset.privacy, Show(dataset));
  return dataset;
}

Result<std::optional<api::DatasetPrivacy>> Ledger::Show(const api::Dataset& dataset) {
  OTE_TRY(const auto account, Find(dataset));
  if (!account) return std::optional<api::DatasetPrivacy>();
  api::DatasetPrivacy out;
  out.budget = account->terms.epsilon;
  out.delta = account->terms.delta;
  out.noise = account->terms.noise;
  out.rounds = account->rounds;
  out.unprotected = account->unprotected;
  const double spent = EpsilonOf(Spent(*account), out.delta);
  if (std::isfinite(spent)) out.spent = spent;
  if (out.budget) out.left = std::max(0.0, *out.budget - out.spent.value_or(*out.budget));
  return std::optional(out);
}

}  // namespace ote::site
