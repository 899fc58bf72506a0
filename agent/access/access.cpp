#include "agent/access/access.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/api/verbs.h"
#include "core/base/units.h"

namespace ote::agent {
namespace {

constexpr std::size_t kMostTargets = 8;
constexpr std::size_t kLongestName = 128;
constexpr int kDeepest = 16;
constexpr int kMostRefusals = 60;  // of one operator, that are written down
constexpr std::chrono::minutes kRefusalsWithin{1};

// The text of a field, "" when there is none.
std::string TextAt(const Json& body, std::string_view field) {
  if (field.empty() || !body.is_object()) return {};
  const auto it = body.find(std::string(field));
  return it != body.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::vector<std::string> TextsAt(const Json& body, std::string_view field) {
  std::vector<std::string> texts;
  if (!body.is_object()) return texts;
  const auto it = body.find(std::string(field));
  if (it == body.end() || !it->is_array()) return texts;
  for (const auto& item : *it) {
    if (item.is_string()) texts.push_back(item.get<std::string>());
  }
  return texts;
}

// What the audit says that a request was about: names only, whatever else is in the body.
std::vector<std::string> NamesIn(const Json& body) {
  std::vector<std::string> names;
  const auto add = [&names](std::string text) {
    if (text.empty() || names.size() >= kMostTargets) return;
    if (text.size() > kLongestName) text.resize(kLongestName);
    if (std::ranges::find(names, text) == names.end()) names.push_back(std::move(text));
  };
  for (const auto* field : {"name", "cluster", "run", "selector"}) add(TextAt(body, field));
  for (const auto& name : TextsAt(body, "clusters")) add(name);
  for (const auto* part : {"dataset", "trainer", "app", "spec"}) {
    if (body.is_object() && body.contains(part)) add(TextAt(body.at(part), "name"));
  }
  return names;
}

api::AuditOutcome OutcomeOf(const Error* error) {
  if (error == nullptr) return api::AuditOutcome::kDone;
  return error->ExitStatus() == Exit::kRefused ? api::AuditOutcome::kRefused : api::AuditOutcome::kFailed;
}

// Leaves of an object only its name and the named things that hang below it; whether there are any.
bool OnlyBelow(Json& item, const std::string& field) {
  Json left = {{field, item.at(field)}};
  for (const auto& [key, child] : item.items()) {
    if (child.is_array() && !child.empty() && !TextAt(child.front(), field).empty()) left[key] = child;
  }
  item = std::move(left);
  return item.size() > 1;
}

// Takes out of every array the objects whose `field` names a cluster that `covers` does not. Where one that it does
// hangs below, the name stays.
template <class Covers>
void Prune(Json& json, const std::string& field, const Covers& covers, int depth = 0) {
  if (depth > kDeepest) {
    json = nullptr;
  } else if (json.is_array()) {
    Json kept = Json::array();
    for (auto& item : json) {
      Prune(item, field, covers, depth + 1);
      const auto name = TextAt(item, field);
      if (name.empty() || covers(name) || OnlyBelow(item, field)) kept.push_back(std::move(item));
    }
    json = std::move(kept);
  } else if (json.is_object()) {
    for (auto& child : json) Prune(child, field, covers, depth + 1);
  }
}

}  // namespace

Result<api::Operator> Access::WhoIs(const std::string& name) const {
  if (name == api::kLocalOperator) {
    api::Operator local;
    local.name = name;
    local.role = api::OperatorRole::kAdmin;
    return local;
  }
  const auto* found = operators_.Find(name);
  if (found == nullptr) return Fail(ErrorId::kOperatorUnknown, fmt::format("operator {}: not known here", name));
  if (found->revoked) return Fail(ErrorId::kRevoked, fmt::format("operator {}: was revoked at the root", name));
  if (!found->ActiveAt(context_.clock.WallNow())) {
    return Fail(ErrorId::kRevoked, fmt::format("operator {}: the key ended at {}", name, FormatTime(found->expires_at)),
                "ask for a new one, made at the root with: ote key create");
  }
  return *found;
}

Result<std::vector<Target>> Access::TargetsOf(const Rule& rule, const Json& body) const {
  std::vector<Target> targets;
  const bool of_app = rule.reach == Reach::kApp || rule.reach == Reach::kWholeApp;
  if (rule.reach != Reach::kHere && rule.reach != Reach::kNamed && !of_app) return targets;
  const auto all = clusters_();
  std::map<std::string_view, const api::Cluster*> known;
  for (const auto& cluster : all) known.emplace(cluster.name, &cluster);
  const auto add = [&](const std::string& name) {
    const auto it = known.find(name);
    targets.push_back(it == known.end() ? Target{name, {}, false} : Target{name, it->second->labels, true});
  };
  if (rule.reach == Reach::kHere) {
    add(context_.membership.name);
    return targets;
  }
  if (const auto name = TextAt(body, rule.field); !name.empty()) add(name);
  if (const auto name = TextAt(body, "cluster"); !name.empty()) add(name);
  for (const auto& name : TextsAt(body, "clusters")) add(name);
  // Each that is named has to be in the scope; who names none means those that have the app.
  if (of_app && (targets.empty() || rule.reach == Reach::kWholeApp)) {
    const auto places = apps_ ? apps_(TextAt(body, "name")) : AppPlaces{};
    for (const auto& name : rule.reach == Reach::kWholeApp ? places.ever : places.now) add(name);
    return targets;
  }
  if (const auto text = TextAt(body, "selector"); !text.empty()) {
    OTE_TRY(const auto selector, tree::Selector::Parse(text));
    for (const auto& cluster : all) {
      if (selector.Matches(cluster.name, cluster.labels)) targets.push_back({cluster.name, cluster.labels, true});
    }
  }
  return targets;
}

Result<void> Access::CheckLabels(const api::Operator& who, const std::vector<Target>& targets, const Json& body) const {
  const Scope scope(who.scope);
  if (scope.Everything()) return {};
  const auto asked = FromWire<api::LabelRequest>(body);
  if (!asked) return {};  // the handler says why
  for (const auto& target : targets) {
    auto labels = target.labels;
    for (const auto& [key, value] : asked->set) labels[key] = value;
    for (const auto& key : asked->unset) labels.erase(key);
    if (scope.Covers(target.name, labels)) continue;
    return Fail(ErrorId::kOutOfScope,
                fmt::format("{}: operator {} ({}) may not: cluster {} would be outside of the scope {}",
                            api::verb::kClusterLabel, who.name, NameOf(who.role), target.name, who.scope));
  }
  return {};
}

Result<void> Access::Admit(const Request& request) {
  const auto& envelope = request.envelope();
  auto who = WhoIs(request.caller().name);
  if (!who) {
    // Connected before the key ended.
    context_.transport.Evict(request.caller());
    return Fail(std::move(who).error());
  }
  if (!envelope.to.empty() && envelope.to != context_.membership.name) {
    return Fail(ErrorId::kOutOfScope,
                fmt::format("{}: operator {} ({}) may not: a request for {} is not passed on", envelope.verb, who->name,
                            NameOf(who->role), envelope.to),
                "connect to the agent of that cluster");
  }
  const auto* rule = RuleOf(envelope.verb);
  std::vector<Target> targets;
  if (rule != nullptr && !who->scope.empty()) {
    OTE_TRY(targets, TargetsOf(*rule, envelope.body));
    // Named one by one, an app's clusters are clusters like others.
    if (rule->reach == Reach::kApp && !TextsAt(envelope.body, "clusters").empty()) {
      const Rule named{rule->verb, rule->least, Reach::kNamed, rule->trace, rule->field};
      return Authorise(envelope.verb, &named, *who, targets);
    }
  }
  OTE_CHECK(Authorise(envelope.verb, rule, *who, targets));
  if (envelope.verb == api::verb::kClusterLabel) OTE_CHECK(CheckLabels(*who, targets, envelope.body));
  return {};
}

Sees Access::SeenBy(const Request& request) const {
  if (request.caller().name == api::kLocalOperator) return {};
  const auto* who = operators_.Find(request.caller().name);
  Scope scope(who == nullptr ? std::string("name=") : who->scope);
  if (scope.Everything()) return {};
  return [scope = std::move(scope)](const std::string& name, const api::Labels& labels) {
    return scope.Covers(name, labels);
  };
}

void Access::Filter(const Request& request, Json& body) {
  const auto* rule = RuleOf(request.envelope().verb);
  if (rule == nullptr || rule->reach != Reach::kList) return;
  const auto sees = SeenBy(request);
  if (!sees) return;
  std::map<std::string, bool> covered;
  for (const auto& cluster : clusters_()) covered[cluster.name] = sees(cluster.name, cluster.labels);
  Prune(body, std::string(rule->field), [&covered](const std::string& name) {
    const auto it = covered.find(name);
    return it != covered.end() && it->second;
  });
}

bool Access::WriteRefusal(const std::string& name) {
  // Whoever may do nothing could push everybody else's doings out with it.
  auto& limiter = refusals_.try_emplace(name, kMostRefusals, kRefusalsWithin).first->second;
  if (limiter.Allow(context_.clock.SteadyNow())) return true;
  audit_.Skip();
  return false;
}

void Access::NotTaken(const std::string& from, const wire::Envelope& request, const Error& why) {
  if (!WriteRefusal("@" + from)) return;
  api::AuditEntry entry;
  entry.at = context_.clock.WallNow();
  const auto command = request.verb == api::verb::kCommandRun ? FromWire<api::Command>(request.body)
                                                              : Result<api::Command>(Fail(ErrorId::kNotFound, ""));
  const auto by = command && !command->by.empty() ? command->by.substr(0, kLongestName) : std::string("agent");
  entry.who = fmt::format("{}@{}", by, from);
  entry.verb = (command ? command->verb : request.verb).substr(0, kLongestName);
  entry.targets = NamesIn(command ? command->body : request.body);
  entry.outcome = OutcomeOf(&why);
  entry.code = why.Code();
  if (command) entry.command = command->id.substr(0, kLongestName);
  audit_.Write(std::move(entry));
}

void Access::Over(const Request& request, const Error* error) {
  const auto& envelope = request.envelope();
  const auto* rule = RuleOf(envelope.verb);
  const auto outcome = OutcomeOf(error);
  const auto trace = rule == nullptr ? Trace::kChange : rule->trace;
  const bool quiet = trace == Trace::kPiece || (trace == Trace::kRead && !audit_reads_);
  if (quiet && outcome != api::AuditOutcome::kRefused) return;
  const auto& name = request.caller().name;
  if (outcome == api::AuditOutcome::kRefused && name != api::kLocalOperator && !WriteRefusal(name)) return;
  api::AuditEntry entry;
  entry.at = context_.clock.WallNow();
  entry.who = fmt::format("{}@{}", name, context_.membership.name);
  if (name == api::kLocalOperator) {
    entry.role = NameOf(api::OperatorRole::kAdmin);
  } else if (const auto* who = operators_.Find(name)) {
    entry.role = NameOf(who->role);
  }
  entry.verb = envelope.verb.substr(0, kLongestName);
  entry.targets = NamesIn(envelope.body);
  entry.outcome = outcome;
  if (error != nullptr) entry.code = error->Code();
  entry.request_id = TextAt(envelope.body, "requestId").substr(0, kLongestName);
  audit_.Write(std::move(entry));
}

Result<void> Access::MayRun(const std::string& by, std::string_view what, const std::string& cluster) const {
  if (by.empty() || by == api::kLocalOperator) return {};
  OTE_TRY(const auto who, WhoIs(by));
  Target target{cluster, {}, false};
  if (!who.scope.empty()) {
    for (auto& known : clusters_()) {
      if (known.name == cluster) target = {cluster, std::move(known.labels), true};
    }
  }
  const Rule rule{what, LeastForCommand(what), Reach::kNamed, Trace::kChange, ""};
  return Authorise(what, &rule, who, {target});
}

void Access::Ran(const api::Command& command, const Error* error) {
  api::AuditEntry entry;
  entry.at = context_.clock.WallNow();
  entry.who = fmt::format("{}@{}", command.by.empty() ? "agent" : command.by, command.issuer);
  if (const auto* who = operators_.Find(command.by)) entry.role = NameOf(who->role);
  entry.verb = command.verb.substr(0, kLongestName);
  entry.targets = NamesIn(command.body);
  entry.outcome = OutcomeOf(error);
  if (error != nullptr) entry.code = error->Code();
  entry.command = command.id;
  audit_.Write(std::move(entry));
}

}  // namespace ote::agent
