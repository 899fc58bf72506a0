// What a site's data has told, and how much more it may tell: the ledger of ε and δ, ote-privacy(7).
//
// An account stands for rows, and not for a name: data sets that share a name, a file or the file's digest have one
// account, also when they are registered one after the other; accounts that a data set brings together are added up.
// Removing a data set leaves its account. Costs are kept as Rényi divergences by order (core/federate/privacy), so that
// many rounds of many runs compose tightly; ε is worked out for the δ of the account's budget.
//
// A round is charged before its work begins, once for each answer: a task that is begun again after a crash is free, as
// long as nothing was answered. The charge is what the round costs somebody who took part in it: it does not rely on
// what the root says of how sites are drawn. Whether central noise is added at all, only the root knows; a site that
// does not trust it with that sets `noise` of its terms.
//
// One thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/api/dataset.h"
#include "core/api/requests.h"
#include "core/api/task.h"
#include "core/federate/privacy/accountant.h"
#include "core/store/store.h"

namespace ote::site {

struct PrivacyAccount {
  static constexpr std::string_view kKind = "privacy-account";
  BigId id;
  std::vector<std::string> names;
  std::vector<std::string> paths;
  std::vector<std::string> digests;
  api::PrivacyTerms terms;
  std::vector<double> orders;        // of the costs
  std::vector<double> costs;         // so far
  std::int64_t rounds = 0;           // that were charged
  std::int64_t unprotected = 0;      // answers without noise, before there was a budget
  std::vector<std::string> pending;  // digests of tasks that are charged and not answered

  std::string Key() const;
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("id", self.id, kRequired);
    v("names", self.names);
    v("paths", self.paths);
    v("digests", self.digests);
    v("terms", self.terms);
    v("orders", self.orders);
    v("costs", self.costs);
    v("rounds", self.rounds);
    v("unprotected", self.unprotected);
    v("pending", self.pending);
  }
};

// How a task that was admitted is to be done.
struct Admission {
  bool silent = false;  // nothing that was measured may be told: federate::SiteExtras::silent
};

class Ledger {
 public:
  explicit Ledger(store::Store& store) : store_(store) {}

  // To be called before the work of a task, whoever brought it; charges a round with noise, durably. kBudgetSpent with
  // the numbers when it would bring the account past its budget, kBudgetNeedsNoise for what no noise hides on a data
  // set with a budget, kNoiseNeeded when its operator wants the noise from elsewhere. With an error nothing is charged.
  Result<Admission> Admit(const api::Task& task, const api::Dataset& dataset);
  // The answer to an admitted task is kept and may be told from now on: the same task another time is charged anew. To
  // be called in the transaction that keeps the answer.
  Result<void> Answered(const api::Task& task, const api::Dataset& dataset);
  // For what is told outside of runs: kBudgetNeedsNoise on a data set with a budget.
  Result<void> AdmitStatistics(const api::Dataset& dataset);
  // For what a trainer printed that had these rows; the same.
  Result<void> AdmitOutput(const api::Dataset& dataset);

  // Sets the terms of the data set's account.
  Result<void> Set(const api::Dataset& dataset, const api::PrivacyTerms& terms);
  // Forgets what was spent. For an operator who knows that the rows are other ones.
  Result<void> Forget(const api::Dataset& dataset);
  // What an add asks for beside the registration: terms, or that spending be forgotten. Gives the data set with what
  // stands in its account.
  Result<api::Dataset> Settle(const api::DataAddRequest& asked, api::Dataset dataset);
  // What stands in the account; nothing for a data set that has none.
  Result<std::optional<api::DatasetPrivacy>> Show(const api::Dataset& dataset);

 private:
  Result<std::optional<PrivacyAccount>> Find(const api::Dataset& dataset);
  // The account of the data set, made or put together where need be. Within a transaction.
  Result<PrivacyAccount> Open(const api::Dataset& dataset);
  using AccountChange = std::function<Result<void>(PrivacyAccount&)>;
  Result<void> Change(const api::Dataset& dataset, const AccountChange& change);

  store::Store& store_;
};

}  // namespace ote::site
