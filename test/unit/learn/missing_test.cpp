// Values that are missing and columns of categories, as files spell them.
#include <catch2/catch.hpp>
#include <cmath>

#include "core/learn/data.h"
#include "core/learn/npy.h"

using namespace ote;
using namespace ote::learn;
using api::DataFormat;
using Catch::Matchers::Contains;

namespace {

constexpr std::string_view kPeople =
    "age,colour,height,ill\n"
    "30,red,1.8,no\n"
    ",\"blue, dark\",1.6,yes\n"
    "50,,NA,no\n"
    "?,red,1.7,no\n";

DataSource People() {
  DataSource source;
  source.label = "ill";
  source.categorical = {"colour"};
  source.missing = {"NA", "?"};
  return source;
}

Result<Table> Parse(std::string_view text, const DataSource& source) {
  return ParseTable(AsBytes(text), {}, source, "t.csv");
}

Table Read(std::string_view text, const DataSource& source) {
  auto table = Parse(text, source);
  if (!table) FAIL(table.error().message);
  return *table;
}

Error Refused(std::string_view text, const DataSource& source) {
  auto table = Parse(text, source);
  REQUIRE_FALSE(table);
  return table.error();
}

}  // namespace

TEST_CASE("missing values become NaN, and categories places in a sorted list") {
  const Table table = Read(kPeople, People());
  CHECK(table.rows == 4);
  CHECK(table.columns == 3);
  CHECK(table.categories == std::map<std::int64_t, std::vector<std::string>>{{1, {"blue, dark", "red"}}});
  CHECK(table.Row(0)[1] == 1);
  CHECK(table.Row(1)[1] == 0);
  CHECK(std::isnan(table.Row(2)[1]));
  CHECK(table.Row(3)[1] == 1);
  CHECK(std::isnan(table.Row(1)[0]));
  CHECK(std::isnan(table.Row(2)[2]));
  CHECK(std::isnan(table.Row(3)[0]));
  CHECK(table.Row(3)[2] == 1.7F);
}

TEST_CASE("a missing value is refused, with a hint, where none may be") {
  DataSource source = People();
  source.missing.reset();
  const auto empty = Refused(kPeople, source);
  CHECK(empty.id == ErrorId::kDataBadRow);
  CHECK_THAT(empty.message, Contains("t.csv:3:1: column \"age\": empty"));
  CHECK_THAT(empty.hint, Contains("--missing"));
  source.missing = {""};
  CHECK_THAT(Refused(kPeople, source).message, Contains("t.csv:4:3: column \"height\": not a number"));
}

TEST_CASE("a missing label is refused all the same") {
  CHECK_THAT(Refused("age,colour,ill\n1,red,?\n", People()).message, Contains("column \"ill\": the label is missing"));
}

TEST_CASE("a number may stand for a value that is missing") {
  DataSource source;
  source.label = "y";
  source.missing = {"-999"};
  const Table table = Read("a,b,y\n-999,1,0\n2,-999,1\n-999.5,3,1\n", source);
  CHECK(std::isnan(table.Row(0)[0]));
  CHECK(std::isnan(table.Row(1)[1]));
  CHECK(table.Row(2)[0] == -999.5F);
}

TEST_CASE("numbers of a categorical column are names") {
  DataSource source;
  source.label = "y";
  source.categorical = {"zip"};
  const Table table = Read("zip,y\n10,a\n9,b\n010,a\n", source);
  CHECK(table.categories.at(0) == std::vector<std::string>{"010", "10", "9"});
  CHECK(table.features == std::vector<float>{1, 2, 0});
}

TEST_CASE("a categorical column that is not there, or is another thing too, is refused") {
  DataSource source = People();
  source.categorical = {"color"};
  CHECK_THAT(Refused(kPeople, source).message, Contains("no column \"color\" of categories"));
  source.categorical = {"ill"};
  CHECK_THAT(Refused(kPeople, source).message, Contains("\"ill\": named twice"));
  source.categorical = {"colour"};
  source.ignore = {"colour"};
  CHECK_THAT(Refused(kPeople, source).message, Contains("\"colour\": named twice"));
}

TEST_CASE("categories that are too many, too long or not UTF-8 are refused") {
  DataSource source;
  source.label = "y";
  source.categorical = {"name"};
  std::string text = "name,y\n";
  for (int i = 0; i <= 1000; ++i) text += "n" + std::to_string(i) + ",1\n";
  const auto many = Refused(text, source);
  CHECK(many.id == ErrorId::kTooManyCategories);
  CHECK_THAT(many.message, Contains("t.csv:1002:1: column \"name\""));
  CHECK(Refused("name,y\n" + std::string(300, 'x') + ",1\n", source).id == ErrorId::kTooManyCategories);
  CHECK(Refused("name,y\n\xff,1\n", source).id == ErrorId::kTooManyCategories);
}

TEST_CASE("NaN is a missing value in npy and libsvm where it may be") {
  const std::vector<float> values = {1, NAN, 3, 4};
  const Bytes features = WriteNpy({"x", {2, 2}}, values);
  const Bytes labels = WriteNpy({"y", {2}}, std::vector<float>{0, 1});
  DataSource source;
  source.format = DataFormat::kNpy;
  const auto refused = ParseTable(features, labels, source, "x.npy");
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().hint, Contains("--missing"));
  source.missing.emplace();
  const auto table = ParseTable(features, labels, source, "x.npy");
  REQUIRE(table);
  CHECK(std::isnan(table->Row(0)[1]));
  CHECK_FALSE(ParseTable(labels, features, source, "x.npy"));

  source.format = DataFormat::kLibsvm;
  source.missing = {"nan"};
  const Table sparse = Read("1 1:2 2:nan\n0 2:4\n", source);
  CHECK(std::isnan(sparse.Row(0)[1]));
  CHECK(sparse.Row(1)[0] == 0);
  source.categorical = {"x1"};
  CHECK_THAT(Refused("1 1:2\n", source).message, Contains("for csv, not libsvm"));
}

TEST_CASE("rows keep their places in the file through splits") {
  const Table table = Read(kPeople, People());
  const auto split = SplitTable(table, 0.5, 1);
  REQUIRE(split);
  std::vector<std::int64_t> places = split->train.places;
  places.insert(places.end(), split->test.places.begin(), split->test.places.end());
  std::sort(places.begin(), places.end());
  CHECK(places == std::vector<std::int64_t>{1, 2, 3, 4});
  CHECK(split->train.categories == table.categories);
}

TEST_CASE("a run without the preparation that a data set needs is refused") {
  api::Dataset dataset;
  dataset.name = "people";
  dataset.columns = {{"age"}, {"colour"}};
  const std::string plain = dataset.Summary().schema;
  CHECK(api::CheckPrepared(dataset.Summary(), {}));
  dataset.columns[0].missing = 2;
  CHECK(dataset.Summary().schema == plain);
  api::PrepareSpec prepare;
  const auto missing = api::CheckPrepared(dataset.Summary(), prepare);
  REQUIRE_FALSE(missing);
  CHECK(missing.error().id == ErrorId::kDataNeedsPrepare);
  CHECK_THAT(missing.error().hint, Contains("prepare.missing"));
  prepare.missing = api::MissingPolicy::kMedian;
  CHECK(api::CheckPrepared(dataset.Summary(), prepare));
  dataset.categorical = {"colour"};
  CHECK(dataset.Summary().categorical == 1);
  CHECK(dataset.Summary().schema != plain);
  CHECK_THAT(api::CheckPrepared(dataset.Summary(), prepare).error().hint, Contains("prepare.oneHot"));
  prepare.one_hot = true;
  CHECK(api::CheckPrepared(dataset.Summary(), prepare));
}
