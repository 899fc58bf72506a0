#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <limits>

#include "core/base/ids.h"
#include "core/learn/safetensors.h"
#include "core/site/trainers/output.h"

using namespace ote;

namespace {

const learn::Layout kLayout = {{"layers.0.weight", {2, 3}}, {"layers.0.bias", {2}}};
const std::vector<float> kValues = {1, 2, 3, 4, 5, 6, 7, 8};

std::string WhyNot(const Bytes& file) {
  std::vector<float> parameters(8);
  const auto taken = site::TakeWeights(file, kLayout, parameters);
  if (taken) return {};
  CHECK(taken.error().id == ErrorId::kTrainerOutput);
  return taken.error().message;
}
bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("weights are taken by name, in whatever order the file has them") {
  std::vector<float> parameters(8);
  REQUIRE(site::TakeWeights(learn::WriteSafetensors(kLayout, kValues, {{"made", "by"}}), kLayout, parameters));
  CHECK(parameters == kValues);
  const learn::Layout turned = {kLayout[1], kLayout[0]};
  REQUIRE(site::TakeWeights(learn::WriteSafetensors(turned, std::vector<float>{7, 8, 1, 2, 3, 4, 5, 6}, {}), kLayout,
                            parameters));
  CHECK(parameters == kValues);
}

TEST_CASE("weights that are not the model's are refused by the name of the tensor") {
  const auto write = [](const learn::Layout& layout, std::vector<float> values) {
    return learn::WriteSafetensors(layout, values, {});
  };
  CHECK(Has(WhyNot(write({kLayout[0]}, {1, 2, 3, 4, 5, 6})), "layers.0.bias is missing"));
  CHECK(Has(WhyNot(write({{"layers.0.weight", {3, 2}}, kLayout[1]}, kValues)), "[3, 2], and the model's is [2, 3]"));
  CHECK(Has(WhyNot(write({kLayout[0], kLayout[1], {"extra", {1}}}, {1, 2, 3, 4, 5, 6, 7, 8, 9})), "extra"));
  auto values = kValues;
  values[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK(Has(WhyNot(write(kLayout, values)), "layers.0.bias has a value that is NaN"));
  CHECK_FALSE(WhyNot({}).empty());
  CHECK_FALSE(WhyNot({'h', 'e', 'l', 'l', 'o'}).empty());
  auto cut = write(kLayout, kValues);
  cut.pop_back();
  CHECK_FALSE(WhyNot(cut).empty());
}

TEST_CASE("metrics need a finite loss, and may have more") {
  const auto parsed = site::ParseTrainerMetrics(R"({"loss": 0.5, "steps": 12, "metrics": {"f1": 0.25}, "mine": [1]})");
  REQUIRE(parsed);
  CHECK(parsed->loss == 0.5);
  CHECK(parsed->steps == 12.0);
  CHECK(parsed->metrics.at("f1") == 0.25);
  for (const char* bad : {"", "[]", "{}", R"({"loss": "low"})", R"({"loss": 1e999})", R"({"loss": NaN})",
                          R"({"loss": 1, "steps": 0})", R"({"loss": 1, "metrics": {"a": "b"}})", R"({"loss": 1} x)"}) {
    INFO(bad);
    const auto refused = site::ParseTrainerMetrics(bad);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().id == ErrorId::kTrainerOutput);
    CHECK(Has(refused.error().message, "metrics.json"));
  }
}

TEST_CASE("what was left is read only when it is a file of a fair size") {
  const auto folder = std::filesystem::temp_directory_path() / NewId("ote-output");
  std::filesystem::create_directories(folder / "folder");
  std::ofstream(folder / "good") << "12345";
  std::filesystem::create_symlink("/etc/passwd", folder / "link");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  const auto why = [&](const char* name) {
    const auto read = site::ReadLeft(folder, name, 5);
    return read ? std::string() : read.error().message;
  };
  CHECK(why("good").empty());
  CHECK(site::ReadLeft(folder, "good", 5)->size() == 5);
  CHECK(Has(site::ReadLeft(folder, "good", 4).error().message, "at most 4"));
  CHECK(why("missing") == "missing: it was not left");
  CHECK(why("link") == "link: it is a link");
  CHECK(Has(why("pipe"), "not a regular file"));
  CHECK(Has(why("folder"), "not a regular file"));
  std::filesystem::remove_all(folder);
}
