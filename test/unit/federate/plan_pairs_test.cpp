#include "core/federate/plan_pairs.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "core/federate/plan.h"

namespace ote::federate {
namespace {

// Objects are put together, all else takes the other's place.
void MergeInto(Json& into, const Json& other) {
  for (const auto& [key, value] : other.items()) {
    if (value.is_object() && into.contains(key) && into[key].is_object()) {
      MergeInto(into[key], value);
    } else {
      into[key] = value;
    }
  }
}

Json Merged(std::initializer_list<std::string_view> parts) {
  Json all = {{"dataset", "digits"}, {"model", {{"kind", "mlp"}, {"hidden", Json::array({8})}}}, {"rounds", 5}};
  for (const std::string_view part : parts) {
    const auto read = ParseYaml(part, "example", nullptr);
    INFO(part);
    REQUIRE(read);
    Json other = *read;
    // A model that is chosen takes the place of the perceptron, hidden layers and all.
    if (other.contains("model")) all.erase("model");
    MergeInto(all, other);
  }
  return all;
}

api::RunSpec SpecOf(const Json& json) {
  auto spec = FromJson<api::RunSpec>(json);
  INFO(json.dump());
  if (!spec) UNSCOPED_INFO(spec.error().message);
  REQUIRE(spec);
  return *spec;
}

// Does what a hint says: "set FIELD: VALUE", "leave FIELD out", joined by " and ".
Json Heeded(Json spec, std::string hint) {
  while (!hint.empty()) {
    const auto end = std::min(hint.find(" and "), hint.size());
    const std::string one = hint.substr(0, end);
    hint.erase(0, std::min(hint.size(), end + 5));
    const auto pointer = [](std::string path) {
      std::replace(path.begin(), path.end(), '.', '/');
      return Json::json_pointer("/" + path);
    };
    if (one.rfind("set ", 0) == 0) {
      const auto colon = one.find(": ");
      REQUIRE(colon != one.npos);
      const auto value = ParseYaml("x: " + one.substr(colon + 2), "hint", nullptr);
      REQUIRE(value);
      spec[pointer(one.substr(4, colon - 4))] = (*value)["x"];
    } else {
      REQUIRE(one.rfind("leave ", 0) == 0);
      REQUIRE(one.size() > 10);
      REQUIRE(one.substr(one.size() - 4) == " out");
      const auto path = pointer(one.substr(6, one.size() - 10));
      REQUIRE(spec.contains(path));
      spec[path.parent_pointer()].erase(path.back());
    }
  }
  return spec;
}

// The table of ote-privacy(7): for each pair of features what stands there: '.', 'x' or '-'.
std::map<std::pair<std::string, std::string>, char> TableOfManual() {
  std::ifstream file(std::string(OTE_SOURCE_DIR) + "/man/ote-privacy.7");
  REQUIRE(file);
  std::vector<std::pair<std::string, std::string>> rows;
  std::string line;
  bool inside = false;
  while (std::getline(file, line)) {
    if (line.find("begin of the table of pairs") != line.npos) inside = true;
    if (line.find("end of the table of pairs") != line.npos) inside = false;
    std::istringstream words(line);
    std::string number;
    std::string name;
    std::string marks;
    if (!inside || !(words >> number >> name) || !std::isdigit(static_cast<unsigned char>(number[0])) ||
        std::isdigit(static_cast<unsigned char>(name[0]))) {
      continue;
    }
    if (const auto hyphen = name.find("\\-"); hyphen != name.npos) name.erase(hyphen, 1);
    for (std::string mark; words >> mark;) marks += mark.back();  // "\\-" is how a page spells "-"
    CHECK(number == std::to_string(rows.size() + 1));
    rows.emplace_back(name, marks);
  }
  std::map<std::pair<std::string, std::string>, char> out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    INFO(rows[i].first);
    REQUIRE(rows[i].second.size() == i);
    for (std::size_t j = 0; j < i; ++j) out[{rows[j].first, rows[i].first}] = rows[i].second[j];
  }
  return out;
}

bool SameGroup(const std::string& a, const std::string& b) {
  static const std::vector<std::set<std::string>> groups = {
      {"fedavg", "optimisers", "scaffold", "fednova", "fedbuff", "robust"},
      {"ditto", "layers"},
      {"central", "distributed", "local"},
      {"quantize", "top-k"}};
  return std::any_of(groups.begin(), groups.end(), [&](const auto& g) { return g.count(a) > 0 && g.count(b) > 0; });
}

TEST_CASE("every feature by itself makes a plan that holds") {
  for (const Feature& feature : AllFeatures()) {
    for (const std::string_view example : feature.examples) {
      INFO(example);
      const api::RunSpec spec = SpecOf(Merged({example}));
      CHECK(feature.chosen(spec));
      const auto checked = CheckPlan(spec);
      if (!checked) UNSCOPED_INFO(checked.error().message);
      CHECK(checked);
    }
  }
}

TEST_CASE("every pair of features holds or is refused as the table of the manual says") {
  const auto table = TableOfManual();
  const auto features = AllFeatures();
  REQUIRE(table.size() == features.size() * (features.size() - 1) / 2);
  for (std::size_t i = 0; i < features.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const std::string a(features[j].name);
      const std::string b(features[i].name);
      INFO(a << " and " << b);
      REQUIRE(table.count({a, b}) == 1);
      const char says = table.at({a, b});
      CHECK((says == '-') == SameGroup(a, b));
      if (says == '-') continue;
      for (const std::string_view first : features[j].examples) {
        for (const std::string_view second : features[i].examples) {
          INFO(first << " with " << second);
          const Json plan = Merged({first, second});
          const auto checked = CheckPlan(SpecOf(plan));
          if (!checked) UNSCOPED_INFO(checked.error().message << "; " << checked.error().hint);
          CHECK(checked.has_value() == (says == '.'));
          if (checked) continue;
          CHECK(checked.error().id == ErrorId::kRunInvalid);
          const auto colon = checked.error().message.find(": ");
          CHECK(colon < 40);
          // The nearest plan that works does work.
          const auto mended = CheckPlan(SpecOf(Heeded(plan, checked.error().hint)));
          if (!mended) UNSCOPED_INFO(mended.error().message);
          CHECK(mended);
        }
      }
    }
  }
}

TEST_CASE("conflicts name features that there are, and none twice") {
  std::set<std::string_view> names;
  for (const Feature& feature : AllFeatures()) CHECK(names.insert(feature.name).second);
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const Conflict& conflict : AllConflicts()) {
    CHECK(names.count(conflict.a) == 1);
    CHECK(names.count(conflict.b) == 1);
    CHECK(seen.insert(std::minmax(conflict.a, conflict.b)).second);
  }
}

TEST_CASE("noise needs its masks, its count and its budget, and a hint that helps") {
  const auto refused = [](std::string_view yaml, const std::string& field) {
    INFO(yaml);
    const Json plan = Merged({yaml});
    const auto checked = CheckPlan(SpecOf(plan));
    REQUIRE_FALSE(checked);
    CHECK_THAT(checked.error().message, Catch::StartsWith(field + ": "));
    CHECK(CheckPlan(SpecOf(Heeded(plan, checked.error().hint))));
  };
  refused("privacy: {kind: distributed}", "privacy.kind");
  refused("privacy: {clipping: adaptive}", "privacy.clipping");
  refused("privacy: {kind: central, clipping: adaptive, noiseMultiplier: 2, clipCountNoise: 1}",
          "privacy.clipCountNoise");
  refused("privacy: {kind: central, maxEpsilon: 1}", "privacy.maxEpsilon");
  refused("{privacy: {kind: central}, strategy: {kind: fedbuff}, sites: {fraction: 0.5}}", "sites.fraction");
  CHECK(
      CheckPlan(SpecOf(Merged({"privacy: {kind: central, clipping: adaptive, noiseMultiplier: 2, "
                               "clipCountNoise: 1.5, maxEpsilon: 100}"}))));
}

}  // namespace
}  // namespace ote::federate
