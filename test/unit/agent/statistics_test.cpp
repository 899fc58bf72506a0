#include "agent/statistics.h"

#include <catch2/catch.hpp>

#include "core/site/data_cache.h"
#include "test/fake/run_tree.h"

using namespace ote;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using test::Must;
using test::RunTree;

namespace {

Result<api::Stats> Ask(RunTree& tree, const std::string& at, api::StatsRequest request) {
  if (request.name.empty()) request.name = "points";
  return tree.Ask<api::Stats>(at, api::verb::kDataStats, request);
}
api::StatsRequest Federated() {
  api::StatsRequest request;
  request.federated = true;
  return request;
}

std::string People(int rows, const std::string& colours) {
  std::string text = "age,colour,label\n";
  for (int i = 0; i < rows; ++i) {
    text += (i == 0 ? std::string() : std::to_string(20 + i)) + "," +
            colours.substr(static_cast<std::size_t>(i) % colours.size(), 1) + (i % 3 == 0 ? ",yes\n" : ",no\n");
  }
  return text;
}

Result<api::Dataset> AddPeople(RunTree& tree, const std::string& site, int rows, const std::string& colours) {
  api::DataAddRequest request;
  request.dataset.name = "people";
  request.dataset.path = tree.WriteData(site, People(rows, colours));
  request.dataset.label = "label";
  request.dataset.categorical = {"colour"};
  request.dataset.missing.emplace();
  return tree.Ask<api::Dataset>(site, api::verb::kDataAdd, request);
}

site::RegisteredFile Registered(RunTree& tree, const std::string& site) {
  api::Dataset asked;
  asked.name = "people";
  asked.path = tree.WriteData(site, People(40, "rb"));
  asked.label = "label";
  asked.categorical = {"colour"};
  asked.missing.emplace();
  return Must(site::ReadForRegistration([&] {
    asked.test_fraction = 0.2;
    return asked;
  }()));
}

}  // namespace

TEST_CASE("statistics of a data set are told to its operator") {
  RunTree tree;
  tree.Join("clinic-a");
  Must(AddPeople(tree, "clinic-a", 40, "rb"));
  api::StatsRequest request;
  request.name = "people";
  for (int turn = 0; turn < 2; ++turn) {  // the second time from memory
    const auto stats = Must(Ask(tree, "clinic-a", request));
    CHECK(stats.statistics.rows == 40);
    REQUIRE(stats.statistics.columns.size() == 2);
    CHECK(stats.statistics.columns[0].missing == 1);
    CHECK(stats.statistics.columns[1].categories == std::map<std::string, std::int64_t>{{"b", 20}, {"r", 20}});
    CHECK(stats.statistics.classes == std::map<std::string, std::int64_t>{{"no", 26}, {"yes", 14}});
  }
  request.name = "others";
  CHECK(Ask(tree, "clinic-a", request).error().id == ErrorId::kDatasetUnknown);
}

TEST_CASE("statistics follow a data set that is replaced or changed") {
  RunTree tree;
  tree.Join("clinic-a");
  const auto path = tree.WriteData("clinic-a", RunTree::Csv(1, 50));
  Must(tree.AddData("clinic-a", "points", path));
  CHECK(Must(Ask(tree, "clinic-a", {})).statistics.rows == 50);
  tree.WriteData("clinic-a", RunTree::Csv(1, 70));
  CHECK(Ask(tree, "clinic-a", {}).error().id == ErrorId::kDataChanged);
  Must(tree.AddData("clinic-a", "points", path, true));
  CHECK(Must(Ask(tree, "clinic-a", {})).statistics.rows == 70);
}

TEST_CASE("the root tells statistics of all members together") {
  RunTree tree;
  tree.Join("clinic-a");
  tree.Join("clinic-b");
  Must(AddPeople(tree, "clinic-a", 40, "rb"));
  Must(AddPeople(tree, "clinic-b", 60, "rgw"));
  tree.Settle();
  auto request = Federated();
  request.name = "people";
  const auto stats = Must(Ask(tree, "hq", request));
  CHECK(stats.failed.empty());
  CHECK(stats.clusters == std::map<std::string, std::int64_t>{{"clinic-a", 40}, {"clinic-b", 60}});
  CHECK(stats.statistics.rows == 100);
  CHECK(stats.statistics.columns[0].missing == 2);
  CHECK(stats.statistics.columns[0].min == 21);
  CHECK(stats.statistics.columns[0].max == 79);
  CHECK(stats.statistics.columns[1].categories ==
        std::map<std::string, std::int64_t>{{"b", 20}, {"g", 20}, {"r", 40}, {"w", 20}});

  request.clusters = {"clinic-b"};
  CHECK(Must(Ask(tree, "hq", request)).statistics.rows == 60);
  request.clusters = {"clinic-c"};
  CHECK(Ask(tree, "hq", request).error().id == ErrorId::kNotFound);
  request.clusters.clear();
  request.selector = {{"region", "eu"}};
  CHECK(Ask(tree, "hq", request).error().id == ErrorId::kNoSites);
  CHECK(Ask(tree, "clinic-a", request).error().id == ErrorId::kPermission);
}

TEST_CASE("members that are away, have few rows or other columns are named") {
  RunTree tree;
  tree.JoinSites({"clinic-a", "clinic-b"});
  tree.Join("clinic-c");
  Must(tree.AddData("clinic-c", "points", tree.WriteData("clinic-c", RunTree::Csv(5, 8))));
  tree.Join("clinic-d");
  Must(tree.AddData("clinic-d", "points", tree.WriteData("clinic-d", "a,c,label\n1,2,yes\n2,3,no\n")));
  tree.Join("clinic-e");
  Must(tree.AddData("clinic-e", "points", tree.WriteData("clinic-e", RunTree::Csv(6, 50))));
  tree.StopNode("clinic-e");
  auto request = Federated();
  request.timeout_ms = 1000;
  const auto stats = Must(Ask(tree, "hq", request));
  CHECK(stats.clusters.size() == 2);
  REQUIRE(stats.failed.size() == 3);
  CHECK(stats.failed[0].name == "clinic-c");
  CHECK_THAT(stats.failed[0].message, Contains("8 rows"));
  CHECK_THAT(stats.failed[0].hint, Contains("--min-rows"));
  CHECK(stats.failed[1].name == "clinic-d");
  CHECK_THAT(stats.failed[1].message, Contains("columns are others"));
  CHECK(stats.failed[2].name == "clinic-e");
  request.clusters = {"clinic-e"};
  CHECK(Ask(tree, "hq", request).error().id == ErrorId::kNoSites);
}

TEST_CASE("the cache gives rows as they stand and as a preparation makes them, in any order") {
  RunTree tree;
  const auto file = Registered(tree, "clinic-a");
  site::DataCache cache;
  const std::vector<std::string> classes = {"maybe", "no", "yes"};
  const auto raw = [&] {
    const auto* split = Must(cache.LoadRaw(file));
    CHECK(split->train.columns == 2);
    CHECK(split->train.categories.size() == 1);
    CHECK_FALSE(split->train.class_names.empty());
  };
  const auto prepared = [&](double fill) {
    api::Preparation preparation;
    preparation.columns = {{"age", fill, 0, 1, {}}, {"colour", std::nullopt, 0, 1, {"b", "g", "r"}}};
    const auto* split = Must(cache.Load(file, classes, preparation));
    CHECK(split->train.columns == 4);
    CHECK(split->train.class_names == classes);
    CHECK(split->train.rows + split->test.rows == 40);
    for (const auto* table : {&split->train, &split->test}) {
      for (std::int64_t row = 0; row < table->rows; ++row) {
        const double wanted = table->PlaceOf(row) == 1 ? fill : 19 + static_cast<double>(table->PlaceOf(row));
        CHECK(static_cast<double>(table->Row(row)[0]) == wanted);
      }
    }
  };
  raw();
  prepared(50);
  prepared(50);
  prepared(60);
  raw();
  const auto refused = cache.Load(file, classes, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().id == ErrorId::kDataNeedsPrepare);
  CHECK_THAT(refused.error().message, Contains("data set people"));
  prepared(60);
}

TEST_CASE("the cache gives a clustering rows without classes, and others theirs again") {
  RunTree tree;
  const auto file = Registered(tree, "clinic-a");
  api::Preparation preparation;
  preparation.columns = {{"age", 0, 0, 1, {}}, {"colour", std::nullopt, 0, 1, {"b", "r"}}};
  site::DataCache cache;
  CHECK(Must(cache.Load(file, {}, preparation))->train.class_names.empty());
  CHECK(Must(cache.Load(file, {"no", "yes"}, preparation))->train.class_names.size() == 2);
  CHECK(Must(cache.Load(file, {}, preparation))->train.class_names.empty());
}
