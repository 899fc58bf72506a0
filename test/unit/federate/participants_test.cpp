#include <algorithm>
#include <catch2/catch.hpp>

#include "core/federate/model_file.h"
#include "core/federate/run_machine.h"
#include "test/fake/fake_federation.h"

namespace ote::federate {
namespace {

using fake::Federation;
using fake::MakeSite;
using fake::MakeSpec;
using std::chrono::seconds;

std::vector<Site> ThreeSites() {
  return {MakeSite("clinic-a", 100), MakeSite("clinic-b", 50), MakeSite("clinic-c", 25)};
}

TEST_CASE("a fraction of the sites is drawn anew each round, the same on every machine") {
  std::vector<Site> sites;
  for (int i = 0; i < 20; ++i) sites.push_back(MakeSite("site-" + std::to_string(100 + i), 20));
  api::RunSpec spec = MakeSpec(4, 2);
  spec.sites.fraction = 0.3;
  std::vector<std::vector<std::string>> drawn;
  for (std::uint64_t order = 0; order < 2; ++order) {
    Federation federation(spec, sites, order);
    REQUIRE(federation.Start());
    federation.Play();
    REQUIRE(federation.View().status == api::RunStatus::kFinished);
    for (std::size_t i = 0; i < 4; ++i) {
      const auto& participants = federation.View().rounds[i].participants;
      CHECK(participants.size() == 6);
      if (order == 0) {
        drawn.push_back(participants);
      } else {
        CHECK(participants == drawn[i]);
      }
    }
  }
  CHECK(drawn[0] != drawn[1]);
}

TEST_CASE("another site is asked in place of one that failed when only a fraction was drawn") {
  std::vector<Site> sites;
  for (int i = 0; i < 6; ++i) sites.push_back(MakeSite("site-" + std::to_string(i), 20));
  api::RunSpec spec = MakeSpec(1, 3);
  spec.sites.fraction = 0.5;
  Federation probe(spec, sites);
  REQUIRE(probe.Start());
  probe.Play();
  const std::string drawn = probe.View().rounds[0].participants[0];
  Federation federation(spec, sites);
  federation.bend[drawn] = [](fake::Answer& answer) { answer.offer.failed = true; };
  REQUIRE(federation.Start());
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().rounds[0].participants.size() == 3);
  CHECK(federation.View().rounds[0].left_out == std::vector<std::string>{drawn});
}

TEST_CASE("labels and names choose the sites") {
  std::vector<Site> sites = ThreeSites();
  sites[0].labels = {{"region", "eu"}};
  sites[1].labels = {{"region", "eu"}, {"tier", "edge"}};
  sites[2].labels = {{"region", "us"}};
  Site other = MakeSite("clinic-d", 10);
  other.dataset->name = "cancer";
  sites.push_back(other);
  Site bare = MakeSite("clinic-e", 10);
  bare.dataset.reset();
  sites.push_back(bare);
  api::RunSpec spec = MakeSpec(1, 1);
  CHECK(Eligible(spec, sites).size() == 3);
  spec.sites.selector.labels = {{"region", "eu"}};
  CHECK(Eligible(spec, sites).size() == 2);
  spec.sites.clusters = {"clinic-b", "clinic-c", "clinic-e"};
  REQUIRE(Eligible(spec, sites).size() == 1);
  CHECK(Eligible(spec, sites)[0]->name == "clinic-b");
}

TEST_CASE("a selector chooses the sites with all that its language can say") {
  std::vector<Site> sites = ThreeSites();
  sites[0].labels = {{"region", "eu"}, {"tier", "lab"}};
  sites[1].labels = {{"region", "eu"}, {"gpu", "a100"}};
  sites[2].labels = {{"region", "us"}};
  const auto chosen = [&](const std::string& selector) {
    api::RunSpec spec = MakeSpec(1, 1);
    spec.sites.selector.text = selector;
    std::string names;
    for (const Site* site : Eligible(spec, sites)) names += site->name.substr(7);
    return names;
  };
  CHECK(chosen("region=eu") == "ab");
  CHECK(chosen("region=eu,tier!=lab") == "b");
  CHECK(chosen("region in (us,asia)") == "c");
  CHECK(chosen("region notin (us)") == "ab");
  CHECK(chosen("gpu exists") == "b");
  CHECK(chosen("gpu absent") == "ac");
  CHECK(chosen("name=glob:clinic-?,region=glob:e*") == "ab");
  CHECK(chosen("*") == "abc");
  CHECK(chosen("region=asia").empty());
}

TEST_CASE("a run over the sites that a selector means asks these, and those that come to fit it") {
  std::vector<Site> sites = ThreeSites();
  sites[0].labels = {{"region", "eu"}};
  sites[1].labels = {{"region", "eu"}, {"tier", "lab"}};
  api::RunSpec spec = MakeSpec(2, 1);
  spec.sites.selector.text = "region exists,tier!=lab";
  Federation federation(spec, sites);
  REQUIRE(federation.Start());
  sites[2].labels = {{"region", "us"}};
  federation.Change(sites[2]);
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().rounds[0].participants == std::vector<std::string>{"clinic-a"});
  CHECK(federation.View().rounds[1].participants == std::vector<std::string>{"clinic-a", "clinic-c"});
}

TEST_CASE("what cannot be started says why") {
  const auto start = [](const api::RunSpec& spec, const std::vector<Site>& sites) {
    Federation federation(spec, sites);
    const auto started = federation.Start();
    return started ? ErrorId::kInternal : started.error().id;
  };
  CHECK(start(MakeSpec(0, 1), ThreeSites()) == ErrorId::kRunInvalid);
  CHECK(start(MakeSpec(1, 1), {}) == ErrorId::kNoSites);
  std::vector<Site> sites = ThreeSites();
  sites[1].dataset->schema = "others";
  CHECK(start(MakeSpec(1, 1), sites) == ErrorId::kModelDataMismatch);
  sites = ThreeSites();
  sites[1].dataset->classes = 0;
  CHECK(start(MakeSpec(1, 1), sites) == ErrorId::kModelDataMismatch);
  api::RunSpec named = MakeSpec(1, 1);
  named.sites.clusters = {"clinic-x"};
  CHECK(start(named, ThreeSites()) == ErrorId::kRunInvalid);
  sites = ThreeSites();
  for (Site& site : sites) site.dataset->train_rows = std::int64_t{1} << 40;
  CHECK(start(MakeSpec(1, 1), sites) == ErrorId::kRunInvalid);
}

TEST_CASE("classes are those of all sites together, numbers by their value") {
  std::vector<Site> sites = ThreeSites();
  sites[0].dataset->class_names = {"2", "10"};
  sites[1].dataset->class_names = {"1", "2"};
  sites[2].dataset->class_names = {"0"};
  Federation federation(MakeSpec(1, 3), sites);
  REQUIRE(federation.Start());
  CHECK(federation.View().classes == std::vector<std::string>{"0", "1", "2", "10"});
}

TEST_CASE("classes of sites that come before the first round are taken in, those of later ones are not") {
  std::vector<Site> sites = ThreeSites();
  sites[0].dataset->class_names = {"0", "1"};
  sites.resize(1);
  Federation federation(MakeSpec(2, 2), sites);
  REQUIRE(federation.Start());
  CHECK(federation.View().status == api::RunStatus::kPaused);
  const std::string first = federation.View().model.digest;
  Site second = MakeSite("clinic-b", 10);
  second.dataset->class_names = {"1", "2"};
  federation.Change(second);
  CHECK(federation.View().status == api::RunStatus::kRunning);
  CHECK(federation.View().classes == std::vector<std::string>{"0", "1", "2"});
  CHECK(federation.View().model.digest != first);
  CHECK(federation.artifacts.count(first) == 0);
  Site third = MakeSite("clinic-c", 10);
  third.dataset->class_names = {"3"};
  federation.Change(third);
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().classes.size() == 3);
  CHECK(federation.View().rounds[1].participants.size() == 2);
  CHECK(federation.Told("site-unfit"));
}

TEST_CASE("a site that comes with other data is not asked, and it is said once") {
  Federation federation(MakeSpec(3, 3), ThreeSites());
  REQUIRE(federation.Start());
  Site stranger = MakeSite("clinic-z", 10);
  stranger.dataset->features = 5;
  federation.Change(stranger);
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().rounds[2].participants.size() == 3);
  CHECK(std::count_if(federation.events.begin(), federation.events.end(),
                      [](const api::RunEvent& e) { return e.kind == "site-unfit"; }) == 1);
}

TEST_CASE("a member that is removed is waited for no longer") {
  Federation federation(MakeSpec(2, 2), ThreeSites());
  federation.silent = {"clinic-c"};
  REQUIRE(federation.Start());
  federation.Play();
  CHECK(federation.View().rounds.empty());
  federation.Remove("clinic-c");
  federation.Play();
  REQUIRE(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().rounds[0].left_out == std::vector<std::string>{"clinic-c"});
  CHECK(federation.View().rounds[1].participants.size() == 2);
}

TEST_CASE("sites that do not measure the finished model do not hold it up") {
  Federation federation(MakeSpec(1, 3), ThreeSites());
  REQUIRE(federation.Start());
  while (federation.View().rounds.empty() && federation.Step()) {
  }
  federation.SetReachable("clinic-a", false);
  federation.Play();
  CHECK_FALSE(federation.over);
  CHECK(federation.wake == seconds(60));
  federation.Advance(seconds(60));
  REQUIRE(federation.over);
  CHECK(federation.View().status == api::RunStatus::kFinished);
  CHECK(federation.View().metrics.rows == 13 + 7);
}

}  // namespace
}  // namespace ote::federate
