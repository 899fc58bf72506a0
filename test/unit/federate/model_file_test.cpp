#include "core/federate/model_file.h"

#include <catch2/catch.hpp>

using namespace ote;
using namespace ote::federate;
using Catch::Matchers::Contains;

namespace {

ModelFile About() {
  ModelFile about;
  about.spec.kind = api::ModelKind::kSoftmax;
  about.features = 3;
  about.classes = {"no", "yes"};
  about.layout = about.Make().value()->GetLayout();
  return about;
}

Bytes Written(const ModelFile& about) { return MakeModelFile(about, about.Make().value()->Init(1)); }

}  // namespace

TEST_CASE("a model file holds the preparation of the rows that it takes") {
  ModelFile about = About();
  CHECK(AsText(Written(about)).find("ote.preparation") == std::string_view::npos);
  about.preparation.columns = {{"age", 45.0, 40, 0.1, {}}, {"colour", std::nullopt, 0, 1, {"blue", "red"}}};
  about.preparation.class_weights = {0.5, 2};
  const auto read = ReadModelFile(Written(about));
  REQUIRE(read);
  CHECK(read->preparation == about.preparation);
}

TEST_CASE("a model file with a preparation that cannot be is refused") {
  ModelFile about = About();
  SECTION("categories that are not sorted") {
    about.preparation.columns = {{"age", 45.0, 40, 0.1, {}}, {"colour", std::nullopt, 0, 1, {"red", "blue"}}};
  }
  SECTION("other columns than the model takes") {
    about.preparation.columns = {{"age", 45.0, 40, 0.1, {}}, {"colour", std::nullopt, 0, 1, {"blue"}}};
  }
  const auto read = ReadModelFile(Written(about));
  REQUIRE_FALSE(read);
  CHECK(read.error().id == ErrorId::kModelInvalid);
  CHECK_THAT(read.error().message, Contains("preparation"));
}
