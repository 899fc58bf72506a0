// Apps of clusters that are reached by files.
#include <catch2/catch.hpp>

#include "core/bundle/marks.h"
#include "test/fake/hand_tree.h"

namespace ote::test {
namespace {

api::DeployRequest Web(const std::string& command) {
  api::DeployRequest request;
  request.spec.name = "web";
  request.spec.workload.command = {command};
  request.spec.placement.selector = "*";
  return request;
}
api::AppView Deploy(HandTree& tree, const std::string& command) {
  auto view = Must(tree.Ask<api::AppView>("hq", api::verb::kAppDeploy, Web(command)));
  tree.Settle();
  return view;
}
Result<api::AppView> Show(HandTree& tree) {
  return tree.Ask<api::AppView>("hq", api::verb::kAppShow, api::AppShowRequest{"web", {}, 0});
}
api::AppReport Healthy(std::int64_t revision) {
  api::AppReport report;
  report.app = "web";
  report.revision = revision;
  report.status.emplace();
  report.status->app = "web";
  report.status->from = "hq";
  report.status->revision = report.status->wanted_revision = revision;
  report.status->phase = api::AppPhase::kHealthy;
  report.status->wanted = report.status->healthy = 1;
  return report;
}
ErrorId IdOf(const auto& result) { return result ? ErrorId{} : result.error().id; }

}  // namespace

TEST_CASE("an app of a cluster that is reached by files waits to be carried, and is what its receipt says") {
  HandTree tree;
  tree.Enlist("clinic-a", 1);
  auto view = Deploy(tree, "v1");
  REQUIRE(view.clusters.size() == 1);
  CHECK(view.counts == api::AppCounts{1, 0, 1, 0, 1});
  CHECK(view.clusters[0].by_hand);
  CHECK(view.clusters[0].message == "revision 1 waits to be carried: ote app export web --cluster clinic-a -o FILE");

  const auto first = tree.ExportApp("web", "clinic-a", "1.app");
  const auto out = Must(tree.AskApp("web", "clinic-a"));
  CHECK(out.assignment->workload.command == std::vector<std::string>{"v1"});
  CHECK(out.assignment->from == "hq");
  view = Must(Show(tree));
  CHECK(view.clusters[0].message == "revision 1 was exported, and its receipt is not here");
  CHECK(view.phase == api::RolloutPhase::kRolling);
  // The root is killed: what was exported is known.
  tree.StopNode("hq");
  tree.StartNode("hq");
  CHECK(Must(tree.AskApp("web", "clinic-a")).sequence == out.sequence);

  CHECK_FALSE(Must(tree.SendReceipt("clinic-a", Healthy(1), 10, first)).already);
  view = Must(Show(tree));
  CHECK(view.counts == api::AppCounts{1, 1, 0, 0, 0});
  CHECK(view.phase == api::RolloutPhase::kDone);
  CHECK(view.clusters[0].as_of == 1'000'010);
  CHECK_FALSE(view.clusters[0].carry);
  CHECK(Must(tree.TakeReceipt("receipt")).already);

  // A newer revision waits again, and what is known of the cluster is of the one before.
  Deploy(tree, "v2");
  view = Must(Show(tree));
  CHECK(view.counts == api::AppCounts{1, 0, 1, 0, 1});
  CHECK(view.clusters[0].status->revision == 1);
  const auto second = tree.ExportApp("web", "clinic-a", "2.app");
  CHECK(Must(tree.AskApp("web", "clinic-a")).sequence > out.sequence);
  tree.StopNode("hq");
  tree.StartNode("hq");
  CHECK_FALSE(Must(tree.SendReceipt("clinic-a", Healthy(2), 11, second)).already);
  CHECK(Must(Show(tree)).counts == api::AppCounts{1, 1, 0, 0, 0});
}

TEST_CASE("an app that is removed is given up by a file, and forgotten when the receipt says that it was") {
  HandTree tree;
  tree.Enlist("clinic-a", 1);
  Deploy(tree, "v1");
  tree.ExportApp("web", "clinic-a", "1.app");
  Must(tree.Ask<api::AppView>("hq", api::verb::kAppRemove, api::AppTarget{"web", {}, {}}));
  tree.Settle();
  // Whether the first file reached it nobody knows.
  auto view = Must(Show(tree));
  CHECK(view.removed);
  CHECK(view.clusters.at(0).message ==
        "its removal waits to be carried: ote app export web --cluster clinic-a -o FILE");
  const auto removal = tree.ExportApp("web", "clinic-a", "2.app");
  CHECK_FALSE(Must(tree.AskApp("web", "clinic-a")).assignment);
  api::AppReport gone;
  gone.app = "web";
  gone.revision = 1;
  gone.removed = true;
  Must(tree.SendReceipt("clinic-a", gone, 10, removal));
  CHECK(IdOf(Show(tree)) == ErrorId::kAppUnknown);
  CHECK(IdOf(tree.AskApp("web", "clinic-a")) == ErrorId::kAppUnknown);
  CHECK(Must(tree.TakeReceipt("receipt")).already);
  // It may come back, under a later revision.
  CHECK(Deploy(tree, "v1").revision == 2);
  tree.ExportApp("web", "clinic-a", "3.app");
  CHECK(Must(Show(tree)).counts.carry == 1);
}

TEST_CASE("an app of which no file was made is forgotten at once") {
  HandTree tree;
  tree.Enlist("clinic-a", 1);
  Deploy(tree, "v1");
  Must(tree.Ask<api::AppView>("hq", api::verb::kAppRemove, api::AppTarget{"web", {}, {}}));
  tree.Settle();
  CHECK(IdOf(Show(tree)) == ErrorId::kAppUnknown);
}

TEST_CASE("a cluster that is removed is waited for no longer") {
  HandTree tree;
  tree.Enlist("clinic-a", 1);
  Deploy(tree, "v1");
  tree.ExportApp("web", "clinic-a", "1.app");
  Must(tree.Ask<api::AppView>("hq", api::verb::kAppRemove, api::AppTarget{"web", {}, {}}));
  Must(tree.Ask<api::Cluster>("hq", api::verb::kClusterRemove, api::NameRequest{"clinic-a"}));
  tree.Settle();
  CHECK(IdOf(Show(tree)) == ErrorId::kAppUnknown);
}

TEST_CASE("a receipt that the cluster did not make like this is refused, and nothing is written") {
  HandTree tree;
  tree.Enlist("clinic-a", 1);
  tree.Enlist("clinic-b", 2);
  Deploy(tree, "v1");
  const auto answers = tree.ExportApp("web", "clinic-a", "1.app");
  const auto before = Must(Show(tree));
  const auto send = [&](const std::function<void(bundle::Package&)>& change, const std::string& signer = {}) {
    return IdOf(tree.SendReceipt("clinic-a", Healthy(1), 10, answers, change, signer));
  };
  CHECK(send([](auto&) {}, "clinic-b") == ErrorId::kBundleUntrusted);
  CHECK(send([](auto& p) { p.header.issuer = "nobody"; }) == ErrorId::kRevoked);
  CHECK(send([](auto& p) { p.header.receiver = "other"; }) == ErrorId::kBundleReceiver);
  CHECK(send([](auto& p) { p.header.kind = "app"; }) == ErrorId::kBundleKind);
  CHECK(send([](auto& p) { p.header.stream = "apps/other"; }) == ErrorId::kBundleMixed);
  CHECK(send([](auto& p) { p.body["removed"] = true; }) == ErrorId::kBundleMixed);
  CHECK(send([](auto& p) { p.header.answers = "blake2b:00"; }) == ErrorId::kBundleUnasked);
  // Of a bundle that was made for another.
  CHECK(IdOf(tree.SendReceipt("clinic-b", Healthy(1), 10, answers)) == ErrorId::kBundleUnasked);
  CHECK(ToJson(Must(Show(tree))) == ToJson(before));

  CHECK(send([](auto&) {}) == ErrorId{});
  CHECK(send([](auto& p) { p.header.sequence = 9; }) == ErrorId::kBundleStale);
  CHECK(send([](auto& p) { p.body["revision"] = 2; }) == ErrorId::kBundleReplaced);
  CHECK(Must(Show(tree)).counts.healthy == 1);
}

TEST_CASE("to look at what would be exported changes nothing") {
  HandTree tree;
  tree.Enlist("clinic-a", 1);
  Deploy(tree, "v1");
  Must(tree.StartRun(RunTree::Spec()));
  REQUIRE(tree.Until([&] { return tree.RoundOpen(1, "clinic-a"); }));
  const auto numbers = [&] { return Must(tree.AskTask("clinic-a")).sequence; };
  const auto before = numbers();
  for (int i = 0; i < 3; ++i) {
    CHECK(Must(tree.AskApp("web", "clinic-a", true)).sequence == 0);
    CHECK(Must(tree.Ask<api::ExportReply>("hq", api::verb::kFlExport,
                                          api::ExportRequest{"trial", "clinic-a", 0, {}, true}))
              .sequence == before);
  }
  // The next number is the one after.
  CHECK(Must(tree.AskApp("web", "clinic-a")).sequence == before + 1);
  HandTree other;
  other.Enlist("clinic-a", 1);
  Must(other.StartRun(RunTree::Spec()));
  api::ExportRequest look{"trial", "clinic-a", 0, {}, true};
  REQUIRE(other.Until([&] { return other.Ask<api::ExportReply>("hq", api::verb::kFlExport, look).has_value(); }));
  CHECK(Must(other.Ask<api::ExportReply>("hq", api::verb::kFlExport, look)).sequence == 0);
  // The grant had number 1.
  CHECK(Must(other.AskTask("clinic-a")).sequence == 2);
}

TEST_CASE("a cluster refuses an app that the root did not make like this") {
  HandTree tree;
  tree.Enlist("clinic-a", 1);
  tree.Enlist("clinic-b", 2);
  auto member = Must(tree.Folder("clinic-a").LoadMembership());
  member.shim = "none";
  Must(tree.Folder("clinic-a").SaveMembership(member));
  tree.StartNode("clinic-a");
  Deploy(tree, "v1");
  const auto out = Must(tree.AskApp("web", "clinic-a"));
  const auto id = [&](const std::function<void(bundle::Package&)>& change, const crypto::SigningKey& key) {
    auto package = tree.AppPackage(out);
    change(package);
    Must(bundle::Pack(package, key, {tree.Usb("x.app"), 0, true}));
    return IdOf(tree.ImportApp("clinic-a", "x.app"));
  };
  CHECK(id([](auto&) {}, crypto::SigningKey::Generate()) == ErrorId::kBundleUntrusted);
  CHECK(id([](auto& p) { p.header.receiver = "clinic-b"; }, tree.RootKey()) == ErrorId::kBundleReceiver);
  CHECK(id([](auto& p) { p.header.kind = "task"; }, tree.RootKey()) == ErrorId::kBundleKind);
  CHECK(id([](auto& p) { p.header.stream = "apps/other"; }, tree.RootKey()) == ErrorId::kBundleMixed);
  CHECK(id([](auto& p) { p.body["revision"] = 7; }, tree.RootKey()) == ErrorId::kBundleMixed);
  CHECK(id([](auto& p) { p.body["assignment"]["workload"]["command"] = {"v2"}; }, tree.RootKey()) ==
        ErrorId::kBundleMixed);
  CHECK(id([](auto& p) { p.body["assignment"]["from"] = "other"; }, tree.RootKey()) == ErrorId::kBundleMixed);
  CHECK(id([](auto& p) { p.contents.push_back(bundle::ContentOf(AsBytes("more"))); }, tree.RootKey()) ==
        ErrorId::kBundleMixed);
  CHECK(id([](auto& p) { p.body["seen"] = 100; }, tree.RootKey()) == ErrorId::kFolderRestored);
  const auto other = Must(tree.Folder("clinic-b").LoadMembership());
  CHECK(id(
            [&](auto& p) {
              p.header.issuer = "clinic-b";
              p.header.certificate = other.certificate;
            },
            Must(tree.Folder("clinic-b").SignKey())) == ErrorId::kBundleUntrusted);
  // What is left is that nothing runs apps here.
  CHECK(id([](auto&) {}, tree.RootKey()) == ErrorId::kShimAbsent);
}

}  // namespace ote::test
