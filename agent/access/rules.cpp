#include "agent/access/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/api/verbs.h"

namespace ote::agent {
namespace {

namespace verb = api::verb;
constexpr auto kViewer = api::OperatorRole::kViewer;
constexpr auto kOperator = api::OperatorRole::kOperator;
constexpr auto kAdmin = api::OperatorRole::kAdmin;

tl::unexpected<Error> OutOfScope(const api::Operator& who, std::string_view what, std::string_view why,
                                 std::string hint) {
  return Fail(ErrorId::kOutOfScope,
              fmt::format("{}: operator {} ({}) may not: {}", what, who.name, NameOf(who.role), why), std::move(hint));
}

// Targets that are none are of an app that is nowhere, of which the handler says why. A change of the app as a whole
// would reach the clusters outside of the scope too: there is no part of it that could be done.
Result<void> AuthoriseApp(std::string_view what, const Rule& rule, const api::Operator& who, const Scope& scope,
                          const std::vector<Target>& targets) {
  const auto outside = std::ranges::count_if(
      targets, [&scope](const auto& target) { return !target.known || !scope.Covers(target.name, target.labels); });
  if (outside == 0) return {};
  if (outside == std::ssize(targets)) {
    return OutOfScope(who, what, fmt::format("none of its {} clusters is in the scope {}", targets.size(), who.scope),
                      "ote cluster list");
  }
  if (rule.reach == Reach::kApp) return {};
  return OutOfScope(who, what,
                    fmt::format("it changes the app on all of its {} clusters, {} of which are outside of the scope {}",
                                targets.size(), outside, who.scope),
                    "ask somebody with a key without a scope, or one that covers them: ote key create; ote app restart "
                    "acts on those inside alone");
}

}  // namespace

const std::vector<Rule>& AllRules() {
  static const std::vector<Rule> kRules = {
      // the agent that is asked
      {verb::kAgentStatus, kViewer, Reach::kNobody, Trace::kRead, ""},
      {verb::kAgentStop, kAdmin, Reach::kHere, Trace::kChange, ""},
      {verb::kDoctorCheck, kViewer, Reach::kHere, Trace::kRead, ""},
      {verb::kKeyList, kViewer, Reach::kHere, Trace::kRead, ""},
      {verb::kKeyRotate, kAdmin, Reach::kTree, Trace::kChange, ""},
      {verb::kKeyTransport, kAdmin, Reach::kTree, Trace::kChange, ""},
      // clusters
      {verb::kClusterList, kViewer, Reach::kShown, Trace::kRead, ""},
      {verb::kClusterTree, kViewer, Reach::kShown, Trace::kRead, ""},
      {verb::kClusterShow, kViewer, Reach::kNamed, Trace::kRead, "name"},
      {verb::kClusterCommands, kViewer, Reach::kList, Trace::kRead, "cluster"},
      {verb::kClusterLabel, kOperator, Reach::kNamed, Trace::kChange, "name"},
      {verb::kClusterCordon, kOperator, Reach::kNamed, Trace::kChange, "name"},
      {verb::kClusterRemove, kAdmin, Reach::kNamed, Trace::kChange, "name"},
      {verb::kClusterApprove, kAdmin, Reach::kTree, Trace::kChange, ""},
      {verb::kClusterAudit, kAdmin, Reach::kTree, Trace::kRead, ""},
      {verb::kTokenCreate, kAdmin, Reach::kTree, Trace::kChange, ""},
      {verb::kTokenList, kAdmin, Reach::kTree, Trace::kRead, ""},
      {verb::kTokenRevoke, kAdmin, Reach::kTree, Trace::kChange, ""},
      {verb::kOperatorCreate, kAdmin, Reach::kTree, Trace::kChange, ""},
      {verb::kOperatorRemove, kAdmin, Reach::kTree, Trace::kChange, ""},
      {verb::kOperatorList, kViewer, Reach::kTree, Trace::kRead, ""},
      // data; a trainer is a program that will be run at the site
      {verb::kDataAdd, kOperator, Reach::kHere, Trace::kChange, ""},
      {verb::kDataList, kViewer, Reach::kHere, Trace::kRead, ""},
      {verb::kDataRemove, kOperator, Reach::kHere, Trace::kChange, ""},
      {verb::kDataStats, kOperator, Reach::kTree, Trace::kChange, ""},
      {verb::kTrainerAdd, kAdmin, Reach::kHere, Trace::kChange, ""},
      {verb::kTrainerList, kViewer, Reach::kHere, Trace::kRead, ""},
      {verb::kTrainerRemove, kAdmin, Reach::kHere, Trace::kChange, ""},
      // runs and models
      {verb::kFlStart, kOperator, Reach::kTree, Trace::kChange, ""},
      {verb::kFlList, kViewer, Reach::kTree, Trace::kRead, ""},
      {verb::kFlShow, kViewer, Reach::kTree, Trace::kRead, ""},
      {verb::kFlCancel, kOperator, Reach::kTree, Trace::kChange, ""},
      {verb::kFlResume, kOperator, Reach::kTree, Trace::kChange, ""},
      {verb::kFlWatch, kViewer, Reach::kTree, Trace::kRead, ""},
      {verb::kFlRecord, kViewer, Reach::kTree, Trace::kRead, ""},
      {verb::kFlOutput, kViewer, Reach::kNamed, Trace::kRead, ""},
      {verb::kFlExport, kOperator, Reach::kTree, Trace::kChange, ""},
      {verb::kFlImport, kOperator, Reach::kTree, Trace::kChange, ""},
      {verb::kFlRemove, kOperator, Reach::kTree, Trace::kChange, ""},
      {verb::kArtifactGet, kOperator, Reach::kTree, Trace::kRead, ""},
      {verb::kArtifactPut, kOperator, Reach::kTree, Trace::kPiece, ""},
      {verb::kModelList, kViewer, Reach::kTree, Trace::kRead, ""},
      {verb::kModelShow, kViewer, Reach::kTree, Trace::kRead, ""},
      {verb::kModelTag, kOperator, Reach::kTree, Trace::kChange, ""},
      {verb::kModelRemove, kOperator, Reach::kTree, Trace::kChange, ""},
      {verb::kModelImport, kOperator, Reach::kTree, Trace::kChange, ""},
      // apps
      {verb::kAppDeploy, kOperator, Reach::kNamed, Trace::kChange, ""},
      {verb::kAppList, kViewer, Reach::kList, Trace::kRead, "cluster"},
      {verb::kAppShow, kViewer, Reach::kList, Trace::kRead, "cluster"},
      {verb::kAppPlan, kViewer, Reach::kNamed, Trace::kRead, ""},
      {verb::kAppDiff, kViewer, Reach::kNamed, Trace::kRead, ""},
      {verb::kAppRollback, kOperator, Reach::kWholeApp, Trace::kChange, ""},
      {verb::kAppRestart, kOperator, Reach::kApp, Trace::kChange, ""},
      {verb::kAppRemove, kOperator, Reach::kWholeApp, Trace::kChange, ""},
      // what is exported holds the values of secret variables
      {verb::kAppExport, kAdmin, Reach::kTree, Trace::kChange, ""},
      {verb::kAppImport, kOperator, Reach::kTree, Trace::kChange, ""},
      {verb::kAppWatch, kViewer, Reach::kList, Trace::kRead, "cluster"},
      {verb::kAppLogs, kViewer, Reach::kNamed, Trace::kRead, ""},
  };
  return kRules;
}

const Rule* RuleOf(std::string_view name) noexcept {
  const auto& rules = AllRules();
  const auto it = std::ranges::find(rules, name, &Rule::verb);
  return it == rules.end() ? nullptr : &*it;
}

api::OperatorRole LeastForCommand(std::string_view name) noexcept {
  if (const auto* rule = RuleOf(name)) return rule->least;
  return name.starts_with("app.") ? kOperator : kAdmin;
}

Scope::Scope(const std::string& text) : everything_(text.empty()) {
  if (everything_) return;
  if (auto parsed = tree::Selector::Parse(text)) {
    everything_ = parsed->MatchesAll();
    selector_ = std::move(*parsed);
  }
}

Result<void> Authorise(std::string_view what, const Rule* rule, const api::Operator& who,
                       const std::vector<Target>& targets) {
  if (rule == nullptr) return OutOfScope(who, what, "it is not among what operators may ask for", "");
  if (who.role < rule->least) {
    return OutOfScope(who, what, fmt::format("it takes the role {}", NameOf(rule->least)),
                      "ask for a key with that role: ote key create");
  }
  const Scope scope(who.scope);
  if (scope.Everything()) return {};
  switch (rule->reach) {
    case Reach::kNobody:
    case Reach::kList:
    case Reach::kShown:
      return {};
    case Reach::kTree:
      return OutOfScope(who, what, fmt::format("it concerns the whole tree, and the scope is {}", who.scope), "");
    case Reach::kApp:
    case Reach::kWholeApp:
      return AuthoriseApp(what, *rule, who, scope, targets);
    case Reach::kHere:
    case Reach::kNamed:
      break;
  }
  if (targets.empty()) {
    return OutOfScope(who, what, fmt::format("it names no cluster, and the scope is {}", who.scope),
                      "name clusters within the scope");
  }
  for (const auto& target : targets) {
    if (target.known && scope.Covers(target.name, target.labels)) continue;
    return OutOfScope(who, what, fmt::format("cluster {} is outside of the scope {}", target.name, who.scope),
                      "ote cluster list");
  }
  return {};
}

}  // namespace ote::agent
