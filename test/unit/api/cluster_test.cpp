#include "core/api/cluster.h"

#include <catch2/catch.hpp>

#include "core/api/dataset.h"
#include "crypto/digest.h"

namespace ote::api {
namespace {

bool Fits(const std::string& key, const std::string& value) {
  const auto result = CheckLabels({{key, value}});
  if (!result) CHECK(result.error().id == ErrorId::kMalformed);
  return result.has_value();
}

TEST_CASE("labels are short lower-case words") {
  CHECK(CheckLabels({}));
  CHECK(Fits("region", "eu"));
  CHECK(Fits("region", ""));
  CHECK(Fits("example.org/zone_1", "rack-4.b"));
  CHECK(Fits(std::string(63, 'k'), std::string(63, 'v')));
  CHECK_FALSE(Fits("", "eu"));
  CHECK_FALSE(Fits(std::string(64, 'k'), "eu"));
  CHECK_FALSE(Fits("region", std::string(64, 'v')));
  for (const char* word : {"Region", "re gion", "-region", "region-", ".r", "r/", "_", "r\n", "r=e", "r\xc3\xa9"}) {
    CHECK_FALSE(Fits(word, "eu"));
    CHECK_FALSE(Fits("region", word));
  }
}

TEST_CASE("a cluster has at most 64 labels") {
  Labels labels;
  for (int i = 0; i < 64; ++i) labels["k" + std::to_string(i)] = "v";
  CHECK(CheckLabels(labels));
  labels["one-more"] = "v";
  CHECK_FALSE(CheckLabels(labels));
}

TEST_CASE("a label that is refused is shown without its control characters") {
  const auto result = CheckLabels({{"a\x1b[31m", "v"}});
  REQUIRE_FALSE(result);
  CHECK(result.error().message.find('\x1b') == std::string::npos);
  CHECK_THAT(result.error().message, Catch::Contains("a?[31m"));
}

TEST_CASE("a label on the command line is KEY=VALUE") {
  const auto label = ParseLabel("region=eu");
  REQUIRE(label);
  CHECK(*label == std::pair<std::string, std::string>("region", "eu"));
  CHECK(ParseLabel("region=")->second.empty());
  for (const std::string_view text : {"", "region", "=eu", "=", "Region=eu", "region=e=u", "region =eu"}) {
    const auto wrong = ParseLabel(text);
    INFO(text);
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().id == ErrorId::kUsage);
  }
}

TEST_CASE("a token is active until it expires, is used up or is revoked") {
  Token token;
  token.expires_at = 1000;
  token.uses = 2;
  CHECK(token.StatusAt(999) == TokenStatus::kActive);
  CHECK(token.StatusAt(1000) == TokenStatus::kExpired);
  token.used_by = {"a"};
  CHECK(token.StatusAt(999) == TokenStatus::kActive);
  token.used_by = {"a", "b"};
  CHECK(token.StatusAt(999) == TokenStatus::kUsedUp);
  // The reason that does not pass comes first.
  CHECK(token.StatusAt(1000) == TokenStatus::kUsedUp);
  token.revoked = true;
  CHECK(token.StatusAt(999) == TokenStatus::kRevoked);
  CHECK(token.StatusAt(1000) == TokenStatus::kRevoked);
}

TEST_CASE("a token that admits nobody is used up") {
  Token token;
  token.expires_at = 1000;
  token.uses = 0;
  CHECK(token.StatusAt(0) == TokenStatus::kUsedUp);
  token.uses = -1;
  CHECK(token.StatusAt(0) == TokenStatus::kUsedUp);
}

Dataset Sample() {
  Dataset dataset;
  dataset.name = "digits";
  dataset.path = "/srv/private/digits.csv";
  dataset.label = "class";
  dataset.train_rows = 80;
  dataset.test_rows = 20;
  dataset.classes = 2;
  dataset.class_names = {"no", "yes"};
  dataset.columns = {{.name = "age", .mean = 41.5}, {.name = "weight", .max = 120}};
  dataset.digest = "blake2b:00";
  return dataset;
}

TEST_CASE("the summary of a data set has its name, schema and counts") {
  const DatasetSummary summary = Sample().Summary();
  CHECK(summary.name == "digits");
  CHECK(summary.train_rows == 80);
  CHECK(summary.test_rows == 20);
  CHECK(summary.features == 2);
  CHECK(summary.classes == 2);
  CHECK(summary.class_names == std::vector<std::string>{"no", "yes"});
  CHECK(summary.schema == crypto::DigestOf(AsBytes("age\nweight")).ToString());
}

TEST_CASE("the summary of a data set does not tell path, statistics or label") {
  const std::string text = DumpJson(ToJson(Sample().Summary()));
  for (const char* secret : {"private", "41.5", "120", "\"class\"", "blake2b:00"}) {
    CHECK(text.find(secret) == std::string::npos);
  }
}

TEST_CASE("two sites agree on a schema when the features have the same names in the same order") {
  const Dataset a = Sample();
  Dataset b = Sample();
  b.columns[0].mean = 7;
  CHECK(a.Summary().schema == b.Summary().schema);
  std::swap(b.columns[0], b.columns[1]);
  CHECK(a.Summary().schema != b.Summary().schema);
  b.columns.clear();
  CHECK(b.Summary().schema == crypto::DigestOf({}).ToString());
}

}  // namespace
}  // namespace ote::api
