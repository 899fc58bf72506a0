// YAML texts with more than one document.
#include "core/base/yaml_documents.h"

#include <catch2/catch.hpp>

using namespace ote;

TEST_CASE("each document of a text is read, empty ones are left out, and lines are those of the whole") {
  const auto documents =
      ParseYamlDocuments("# first\n---\na: 1\n---\n# nothing\n--- # second\nb:\n  c: |\n    ---x\n", "f");
  REQUIRE(documents);
  REQUIRE(documents->size() == 2);
  CHECK((*documents)[0].value == Json({{"a", 1}}));
  CHECK((*documents)[0].map.At("/a") == "f:3");
  CHECK((*documents)[1].value["b"]["c"] == "---x\n");
  CHECK((*documents)[1].map.At("/b/c") == "f:8");
}

TEST_CASE("what is wrong in a later document is told with its line in the whole text") {
  const auto documents = ParseYamlDocuments("a: 1\n---\nb: 1\nb: 2\n", "f");
  REQUIRE_FALSE(documents);
  CHECK_THAT(documents.error().message, Catch::StartsWith("f:4:"));
}

TEST_CASE("a text with too many documents is refused") {
  std::string text;
  for (int i = 0; i < 1001; ++i) text += "---\na: 1\n";
  CHECK_FALSE(ParseYamlDocuments(text, "f"));
  CHECK(ParseYamlDocuments("", "f")->empty());
}
