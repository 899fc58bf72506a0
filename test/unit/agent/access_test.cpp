#include "agent/access/access.h"

#include <catch2/catch.hpp>

#include "agent/access/rules.h"
#include "core/api/audit.h"
#include "test/fake/someone.h"
#include "test/unit/api/operator_samples.h"

using namespace ote;
using namespace std::chrono_literals;
using agent::Authorise;
using agent::RuleOf;
using agent::Target;
using api::OperatorRole;
using test::Must;
using test::Named;
using test::Refusal;
using test::Root;
using test::Someone;
using test::Tree;

namespace {

namespace verb = api::verb;

api::AuditList AuditOf(Tree& tree, const std::string& at, api::AuditQuery query = {}) {
  return Must(tree.Ask<api::AuditList>(at, verb::kClusterAudit, query));
}

const Target kEu{"clinic-a", {{"region", "eu"}}, true};
const Target kUs{"clinic-b", {{"region", "us"}}, true};

}  // namespace

TEST_CASE("every verb that an agent serves to operators is in the table, at a root and at a member") {
  Tree tree;
  tree.Join("clinic-a");
  for (const auto* name : {"hq", "clinic-a"}) {
    for (const auto& what : tree.Node(name).OperatorVerbs()) {
      INFO(what);
      CHECK(RuleOf(what) != nullptr);
    }
  }
}

TEST_CASE("each verb takes its role and no less") {
  for (const auto& rule : agent::AllRules()) {
    INFO(rule.verb);
    for (const auto role : {OperatorRole::kViewer, OperatorRole::kOperator, OperatorRole::kAdmin}) {
      CHECK(Authorise(rule.verb, &rule, Named("kim", 1, role), {}).has_value() == (role >= rule.least));
    }
    // Whoever may only look changes nothing, and what is written down as a change is no look.
    if (rule.trace != agent::Trace::kRead) CHECK(rule.least > OperatorRole::kViewer);
  }
  CHECK(RuleOf(verb::kClusterRemove)->least == OperatorRole::kAdmin);
  CHECK(RuleOf(verb::kTokenCreate)->least == OperatorRole::kAdmin);
  CHECK(RuleOf(verb::kOperatorCreate)->least == OperatorRole::kAdmin);
  CHECK(RuleOf(verb::kAgentStop)->least == OperatorRole::kAdmin);
  CHECK(RuleOf(verb::kTrainerAdd)->least == OperatorRole::kAdmin);
  CHECK(RuleOf(verb::kClusterLabel)->least == OperatorRole::kOperator);
  CHECK(RuleOf(verb::kAppDeploy)->least == OperatorRole::kOperator);
  CHECK(RuleOf(verb::kFlStart)->least == OperatorRole::kOperator);
  CHECK(RuleOf(verb::kClusterList)->least == OperatorRole::kViewer);
}

TEST_CASE("a verb that is not in the table is refused, to an admin too") {
  CHECK(RuleOf("cluster.explode") == nullptr);
  CHECK(Refusal(Authorise("cluster.explode", nullptr, Named("kim", 1, OperatorRole::kAdmin), {})) ==
        ErrorId::kOutOfScope);
}

TEST_CASE("a scope covers each cluster that is named, or the request is refused") {
  const auto kim = Named("kim", 1, OperatorRole::kAdmin, "region=eu");
  const auto* label = RuleOf(verb::kClusterLabel);
  CHECK(Authorise(verb::kClusterLabel, label, kim, {kEu}));
  CHECK(Refusal(Authorise(verb::kClusterLabel, label, kim, {kUs})) == ErrorId::kOutOfScope);
  CHECK(Refusal(Authorise(verb::kClusterLabel, label, kim, {kEu, kUs})) == ErrorId::kOutOfScope);
  CHECK(Refusal(Authorise(verb::kClusterLabel, label, kim, {})) == ErrorId::kOutOfScope);
  CHECK(Refusal(Authorise(verb::kTokenCreate, RuleOf(verb::kTokenCreate), kim, {})) == ErrorId::kOutOfScope);
  CHECK(Refusal(Authorise(verb::kFlStart, RuleOf(verb::kFlStart), kim, {})) == ErrorId::kOutOfScope);
  CHECK(Authorise(verb::kClusterList, RuleOf(verb::kClusterList), kim, {}));
}

TEST_CASE("a scope that excludes does not cover a cluster that nothing is known of") {
  const auto kim = Named("kim", 1, OperatorRole::kAdmin, "tier!=lab");
  const auto* rule = RuleOf(verb::kClusterRemove);
  CHECK(Authorise(verb::kClusterRemove, rule, kim, {kEu}));
  CHECK(Refusal(Authorise(verb::kClusterRemove, rule, kim, {Target{"clinic-z", {}, false}})) == ErrorId::kOutOfScope);
}

TEST_CASE("a scope that cannot be read covers nothing") {
  CHECK_FALSE(agent::Scope("region==").Covers("clinic-a", {{"region", "eu"}}));
  CHECK_FALSE(agent::Scope("region==").Everything());
  CHECK(agent::Scope("").Everything());
  CHECK(agent::Scope("*").Everything());
}

TEST_CASE("a refusal says who, their role and what") {
  const auto refused =
      Authorise(verb::kClusterRemove, RuleOf(verb::kClusterRemove), Named("kim", 1, OperatorRole::kViewer), {kEu});
  REQUIRE_FALSE(refused);
  for (const auto* part : {"kim", "viewer", "cluster.remove", "admin"})
    CHECK_THAT(refused.error().message, Catch::Contains(part));
}

TEST_CASE("an operator is admitted by key at the root, and a stranger is not") {
  Tree tree;
  Someone kim(tree, "kim", OperatorRole::kViewer);
  CHECK(kim.Ask<api::ClusterList>(verb::kClusterList, api::Empty{}));
  CHECK_FALSE(tree.TryClient(Root(tree), crypto::TransportKey::Generate()));
}

TEST_CASE("the control key opens the control socket and no other endpoint") {
  Tree tree;
  const auto control = Must(tree.Folder("hq").ControlKey());
  CHECK_FALSE(tree.TryClient(Root(tree), control));
  CHECK(tree.Ask<api::AgentStatus>("hq", verb::kAgentStatus, api::Empty{}));
}

TEST_CASE("a viewer may look and remove nothing") {
  Tree tree;
  tree.Join("clinic-a");
  Someone kim(tree, "kim", OperatorRole::kViewer);
  CHECK(Must(kim.Ask<api::ClusterList>(verb::kClusterList, api::Empty{})).items.size() == 2);
  CHECK(Refusal(kim.Ask(verb::kClusterRemove, api::NameRequest{"clinic-a"})) == ErrorId::kOutOfScope);
  CHECK(Refusal(kim.Ask(verb::kTokenCreate, api::TokenRequest{})) == ErrorId::kOutOfScope);
  CHECK(tree.Shown("clinic-a").status == api::ClusterStatus::kReady);
}

TEST_CASE("an operator with a scope labels inside of it, not outside, and sees no more") {
  Tree tree;
  tree.Join("clinic-a", {{"region", "eu"}});
  tree.Join("clinic-b", {{"region", "us"}});
  Someone kim(tree, "kim", OperatorRole::kOperator, "region=eu");
  CHECK(kim.Ask(verb::kClusterLabel, api::LabelRequest{"clinic-a", {{"tier", "gold"}}, {}}));
  CHECK(Refusal(kim.Ask(verb::kClusterLabel, api::LabelRequest{"clinic-b", {{"tier", "gold"}}, {}})) ==
        ErrorId::kOutOfScope);
  CHECK(Refusal(kim.Ask(verb::kClusterLabel, api::LabelRequest{"clinic-a", {{"region", "us"}}, {}})) ==
        ErrorId::kOutOfScope);
  CHECK(Refusal(kim.Ask(verb::kClusterLabel, api::LabelRequest{"clinic-z", {{"tier", "gold"}}, {}})) ==
        ErrorId::kOutOfScope);
  CHECK(Refusal(kim.Ask(verb::kFlList, api::Empty{})) == ErrorId::kOutOfScope);
  const auto seen = Must(kim.Ask<api::ClusterList>(verb::kClusterList, api::Empty{})).items;
  REQUIRE(seen.size() == 1);
  CHECK(seen.front().name == "clinic-a");
  CHECK(tree.Shown("clinic-b").labels.count("tier") == 0);
}

TEST_CASE("an operator who is revoked is cut off at once, and cannot come back") {
  Tree tree;
  Someone kim(tree, "kim", OperatorRole::kAdmin);
  auto open = tree.OpenClient(Root(tree), kim.key);
  REQUIRE(open.Call(verb::kAgentStatus, Json::object(), 5s));
  const auto done =
      Must(tree.Ask<api::OperatorReply>("hq", verb::kOperatorRemove, api::OperatorRemoveRequest{"kim", {}}));
  CHECK(done.record.revoked);
  CHECK_FALSE(done.already);
  CHECK_FALSE(open.Call(verb::kAgentStatus, Json::object(), 5s));
  CHECK_FALSE(tree.TryClient(Root(tree), kim.key));
  CHECK(Must(tree.Ask<api::OperatorReply>("hq", verb::kOperatorRemove, api::OperatorRemoveRequest{"kim", {}})).already);
}

TEST_CASE("a name that was revoked may be used again, and its key may not") {
  Tree tree;
  Someone kim(tree, "kim", OperatorRole::kAdmin);
  Must(tree.Ask<api::OperatorReply>("hq", verb::kOperatorRemove, api::OperatorRemoveRequest{"kim", {}}));
  api::OperatorRequest ask;
  ask.name = "kim";
  ask.transport_key = kim.record.transport_key;
  CHECK(Refusal(tree.Ask<api::OperatorReply>("hq", verb::kOperatorCreate, ask)) == ErrorId::kConflict);
  Someone again(tree, "kim", OperatorRole::kViewer);
  CHECK(again.Ask<api::AgentStatus>(verb::kAgentStatus, api::Empty{}));
  CHECK_FALSE(tree.TryClient(Root(tree), kim.key));
}

TEST_CASE("what an operator asks of another cluster is not passed on") {
  Tree tree;
  tree.Join("clinic-a");
  Someone kim(tree, "kim", OperatorRole::kAdmin);
  const auto transport = tree.network.MakeTransport(nullptr, nullptr);
  const auto link = Must(transport->Connect(Root(tree), kim.key));
  transport->Wait({});
  auto asked = wire::MakeRequest(1, verb::kAgentStop, Json::object());
  asked.to = "clinic-a";
  Must(transport->Send(link, std::move(asked)));
  tree.Settle();
  CHECK_FALSE(tree.Node("hq").stopping());
  CHECK_FALSE(tree.Node("clinic-a").stopping());
  api::AuditQuery query;
  query.who = "kim";
  CHECK(AuditOf(tree, "hq", query).items.at(0).outcome == api::AuditOutcome::kRefused);
}

TEST_CASE("an operator whose key has ended asks for nothing more over an open connection") {
  Tree tree;
  Someone kim(tree, "kim", OperatorRole::kAdmin, {}, 60'000);
  auto open = tree.OpenClient(Root(tree), kim.key);
  REQUIRE(open.Call(verb::kAgentStatus, Json::object(), 5s));
  tree.clock.Advance(61s);
  CHECK(Refusal(open.Call(verb::kAgentStatus, Json::object(), 5s)) == ErrorId::kRevoked);
  CHECK_FALSE(tree.TryClient(Root(tree), kim.key));
}

TEST_CASE("the same operator made twice is one, and another key or role is a conflict") {
  Tree tree;
  api::OperatorRequest ask;
  ask.name = "kim";
  ask.transport_key = Bytes(32, 1);
  const auto make = [&] { return tree.Ask<api::OperatorReply>("hq", verb::kOperatorCreate, ask); };
  CHECK_FALSE(Must(make()).already);
  const auto again = Must(make());
  CHECK(again.already);
  CHECK(again.number == 1);
  ask.role = OperatorRole::kAdmin;
  CHECK(Refusal(make()) == ErrorId::kConflict);
  ask.name = "zoe";
  CHECK(Refusal(make()) == ErrorId::kConflict);
  ask.name = "local";
  CHECK(Refusal(make()) == ErrorId::kUsage);
  ask.name = "max";
  ask.transport_key = Bytes(32, 2);
  ask.scope = "region in (eu";
  CHECK(Refusal(make()) == ErrorId::kSelectorInvalid);
  ask.scope = {};
  ask.transport_key = crypto::ToBytes(Must(tree.Folder("hq").TransportKey()).Public().bytes);
  CHECK(Refusal(make()) == ErrorId::kConflict);
}

TEST_CASE("the list of operators travels down the tree, and outlives a restart") {
  Tree tree;
  tree.Join("clinic-a");
  Someone kim(tree, "kim", OperatorRole::kViewer);
  const auto at_member = [&] {
    return Must(tree.Ask<api::OperatorBody>("clinic-a", verb::kOperatorList, api::Empty{}));
  };
  REQUIRE(at_member().items.size() == 1);
  CHECK(at_member().number == 1);
  tree.StopNode("clinic-a");
  Someone zoe(tree, "zoe", OperatorRole::kViewer);
  tree.StartNode("clinic-a");
  tree.Settle();
  tree.Pass(10s);
  CHECK(at_member().number == 2);
  CHECK(Refusal(tree.Ask<api::OperatorReply>("clinic-a", verb::kOperatorRemove,
                                             api::OperatorRemoveRequest{"kim", {}})) == ErrorId::kPermission);
  tree.StopNode("hq");
  tree.StartNode("hq");
  CHECK(kim.Ask<api::AgentStatus>(verb::kAgentStatus, api::Empty{}));
}

TEST_CASE("a list of operators that was changed on the way is not taken") {
  Tree tree;
  tree.Join("clinic-a");
  tree.on_the_way = [](const std::string& to, wire::Event& event) {
    if (to != "clinic-a" || !event.envelope.body.is_object() || !event.envelope.body.contains("operators")) return;
    auto& held = event.envelope.body["operators"];
    if (!held.is_object()) return;
    auto news = FromWire<api::TrustNews>(event.envelope.body);
    if (!news || !news->operators) return;
    news->operators->body.back() ^= 1;
    event.envelope.body = ToJson(*news);
  };
  Someone kim(tree, "kim", OperatorRole::kAdmin);
  tree.Pass(10s);
  CHECK(Must(tree.Ask<api::OperatorBody>("clinic-a", verb::kOperatorList, api::Empty{})).items.empty());
}

TEST_CASE("a new authority signs the operators anew, and those who are away learn of both") {
  Tree tree;
  tree.Join("clinic-a");
  Someone kim(tree, "kim", OperatorRole::kViewer);
  Must(tree.Ask<api::KeyRotated>("hq", verb::kKeyRotate, api::KeyRotateRequest{true, {}}));
  tree.Settle();
  tree.Pass(10s);
  const auto held = Must(tree.Ask<api::OperatorBody>("clinic-a", verb::kOperatorList, api::Empty{}));
  CHECK(held.number == 2);
  REQUIRE(held.items.size() == 1);
  CHECK(held.authority == crypto::ToBytes(crypto::FingerprintOf(tree.Node("clinic-a").membership().AuthorityKey())));
  CHECK(kim.Ask<api::AgentStatus>(verb::kAgentStatus, api::Empty{}));
}

TEST_CASE("a durable command is held against the list at the node that executes it") {
  Tree tree;
  tree.Join("clinic-a", {{"region", "eu"}});
  Someone kim(tree, "kim", OperatorRole::kOperator, "region=eu");
  Someone zoe(tree, "zoe", OperatorRole::kOperator, "region=us");
  Someone max(tree, "max", OperatorRole::kViewer);
  const auto may = [&](const std::string& by, std::string_view what) {
    return Refusal(tree.Node("clinic-a").access().MayRun(by, what, "clinic-a"));
  };
  CHECK(may("local", "app.set") == ErrorId{});
  CHECK(may("", "app.set") == ErrorId{});
  CHECK(may("kim", "app.set") == ErrorId{});
  CHECK(may("kim", "agent.stop") == ErrorId::kOutOfScope);
  CHECK(may("kim", "something.new") == ErrorId::kOutOfScope);
  CHECK(may("zoe", "app.set") == ErrorId::kOutOfScope);
  CHECK(may("max", "app.set") == ErrorId::kOutOfScope);
  CHECK(may("eve", "app.set") == ErrorId::kOperatorUnknown);
  Must(tree.Ask<api::OperatorReply>("hq", verb::kOperatorRemove, api::OperatorRemoveRequest{"kim", {}}));
  tree.Settle();
  CHECK(may("kim", "app.set") == ErrorId::kRevoked);
}

TEST_CASE("the audit has each change and each refusal, and no secret") {
  Tree tree;
  tree.Join("clinic-a");
  Someone kim(tree, "kim", OperatorRole::kOperator);
  CHECK_FALSE(kim.Ask(verb::kClusterRemove, api::NameRequest{"clinic-a"}));
  Must(kim.Ask(verb::kClusterLabel, api::LabelRequest{"clinic-a", {{"tier", "gold"}}, {}}));
  CHECK_FALSE(kim.Ask(verb::kClusterLabel, api::LabelRequest{"clinic-z", {{"tier", "gold"}}, {}}));
  Must(kim.Ask(verb::kClusterList, api::Empty{}));
  api::AuditQuery query;
  query.who = "kim";
  const auto list = AuditOf(tree, "hq", query);
  REQUIRE(list.items.size() == 3);
  CHECK(list.intact);
  CHECK(list.items[0].verb == verb::kClusterRemove);
  CHECK(list.items[0].outcome == api::AuditOutcome::kRefused);
  CHECK(list.items[0].who == "kim@hq");
  CHECK(list.items[0].role == "operator");
  CHECK(list.items[0].targets == std::vector<std::string>{"clinic-a"});
  CHECK(list.items[0].code == "OTE-E0907");
  CHECK(list.items[1].outcome == api::AuditOutcome::kDone);
  CHECK(list.items[1].code.empty());
  CHECK(list.items[2].outcome == api::AuditOutcome::kFailed);
  query = {};
  query.who = "local";
  query.verb = verb::kTokenCreate;
  const auto local = AuditOf(tree, "hq", query);
  REQUIRE(local.items.size() == 1);
  CHECK(local.items[0].who == "local@hq");
  const auto all = DumpJson(ToJson(AuditOf(tree, "hq")));
  CHECK_THAT(all, !Catch::Contains("gold") && !Catch::Contains("ote1."));
}

TEST_CASE("what only reads is in the audit when the agent is told to") {
  Tree tree;
  Someone kim(tree, "kim", OperatorRole::kViewer);
  tree.Node("hq").AuditReads(true);
  Must(kim.Ask(verb::kClusterList, api::Empty{}));
  api::AuditQuery query;
  query.verb = verb::kClusterList;
  CHECK(AuditOf(tree, "hq", query).items.size() == 1);
}

TEST_CASE("an audit entry that is changed, taken out or cut off shows") {
  auto store = Must(store::Store::OpenInMemory());
  const auto written = [] {
    api::AuditEntry entry;
    entry.who = "kim@hq";
    entry.verb = "cluster.label";
    return entry;
  };
  agent::Audit audit(store);
  for (int i = 0; i < 3; ++i) audit.Write(written());
  CHECK(Must(audit.Read({})).intact);
  const auto rows = Must(store.ReadJournal("audit", 0, 10));
  REQUIRE(rows.size() == 3);
  const auto rewrite = [&](const std::vector<Json>& docs) {
    Must(store.TrimJournal("audit", 0));
    for (const auto& doc : docs) Must(store.Append("audit", 0, doc));
    return Must(audit.Read({}));
  };
  CHECK_FALSE(rewrite({rows[0].doc, rows[2].doc}).intact);
  CHECK_FALSE(rewrite({rows[0].doc, rows[1].doc}).intact);
  CHECK_FALSE(rewrite({}).intact);
  auto changed = rows[1].doc;
  changed["who"] = "zoe@hq";
  CHECK_FALSE(rewrite({rows[0].doc, changed, rows[2].doc}).intact);
  CHECK(rewrite({rows[0].doc, rows[1].doc, rows[2].doc}).intact);
}

TEST_CASE("the audit is bounded, and counts what had to make room") {
  auto store = Must(store::Store::OpenInMemory());
  agent::Audit audit(store, 10, 5);
  for (int i = 0; i < 32; ++i) {
    api::AuditEntry entry;
    entry.who = "kim@hq";
    entry.verb = "cluster.label";
    audit.Write(entry);
  }
  api::AuditQuery query;
  query.limit = 5;
  const auto list = Must(audit.Read(query));
  CHECK(list.intact);
  CHECK(list.kept <= 14);
  CHECK(list.kept + list.dropped == 32);
  REQUIRE(list.items.size() == 5);
  CHECK(list.items.back().number == 32);
}
