#include "core/api/run.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>

namespace ote::api {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

RunSpec Good() {
  RunSpec spec;
  spec.dataset = "digits";
  return spec;
}

// The message of the refusal, "" when it is accepted.
std::string Why(const std::function<void(RunSpec&)>& change) {
  RunSpec spec = Good();
  change(spec);
  const auto result = Validate(spec);
  if (result) return "";
  CHECK(result.error().id == ErrorId::kRunInvalid);
  return result.error().message;
}

TEST_CASE("a run needs a data set, and the rest has defaults that hold") {
  CHECK(Validate(Good()));
  CHECK(Validate(ModelSpec{}));
  CHECK(Validate(TrainSpec{}));
  CHECK_THAT(Why([](RunSpec& s) { s.dataset = ""; }), Catch::StartsWith("dataset"));
  CHECK_THAT(Why([](RunSpec& s) { s.dataset = "../etc"; }), Catch::StartsWith("dataset"));
  CHECK_THAT(Why([](RunSpec& s) { s.name = "My Run"; }), Catch::StartsWith("name"));
  CHECK(Why([](RunSpec& s) { s.name = "my-run"; }).empty());
}

TEST_CASE("a schedule gives each round its part of the rate, and never none of it") {
  ScheduleSpec spec;
  CHECK(ScheduleFactor(spec, 7, 10) == 1);
  spec.kind = ScheduleKind::kStep;
  spec.every = 3;
  CHECK(ScheduleFactor(spec, 3, 10) == 1);
  CHECK(ScheduleFactor(spec, 4, 10) == 0.5);
  spec.kind = ScheduleKind::kExponential;
  CHECK(ScheduleFactor(spec, 4, 10) == Approx(0.5));
  CHECK(ScheduleFactor(spec, 7, 10) == Approx(0.25));
  spec.kind = ScheduleKind::kCosine;
  CHECK(ScheduleFactor(spec, 1, 10) == 1);
  CHECK(ScheduleFactor(spec, 6, 10) == Approx(0.5));
  CHECK(ScheduleFactor(spec, 10, 10) == Approx(0.0244717));
  spec.floor = 0.2;
  CHECK(ScheduleFactor(spec, 6, 10) == Approx(0.6));
  spec.warmup = 4;
  CHECK(ScheduleFactor(spec, 1, 10) == Approx(0.2));
  CHECK(ScheduleFactor(spec, 4, 10) == Approx(0.8));
  CHECK(ScheduleFactor(spec, 5, 10) == 1);
  for (const auto& [kind, name] : EnumNames<ScheduleKind>::kNames) {
    ScheduleSpec any;
    any.kind = kind;
    for (std::int64_t round = 1; round <= 5; ++round) {
      INFO(name << " " << round);
      CHECK(ScheduleFactor(any, round, 5) > 0);
      CHECK(ScheduleFactor(any, round, 5) <= 1);
    }
  }
}

TEST_CASE("a number out of its range is refused with the field's name") {
  struct Case {
    std::string field;
    std::function<void(RunSpec&, double)> set;
    std::vector<double> good;
    std::vector<double> bad;
  };
  const auto whole = [](double value) { return static_cast<std::int64_t>(value); };
  const std::vector<Case> cases = {
      {"rounds", [&](RunSpec& s, double v) { s.rounds = whole(v); }, {1, 1'000'000}, {0, -1, 1'000'001}},
      {"seed", [&](RunSpec& s, double v) { s.seed = whole(v); }, {0, 1e15}, {-1}},
      {"sites.fraction",
       [](RunSpec& s, double v) { s.sites.fraction = v; },
       {1, 1e-9},
       {0, -0.5, 1.01, kNaN, kInfinity}},
      {"sites.minimum", [&](RunSpec& s, double v) { s.sites.minimum = whole(v); }, {1, 1000}, {0, -1, 1'000'001}},
      {"model.inputScale",
       [](RunSpec& s, double v) { s.model.input_scale = v; },
       {1e-9, 0.0625, 1e9},
       {0, -1, 1e10, kNaN}},
      {"model.hidden[1]",
       [&](RunSpec& s, double v) {
         s.model.hidden = {8, whole(v)};
       },
       {1, 65536},
       {0, -1, 65537}},
      {"training.learningRate",
       [](RunSpec& s, double v) { s.training.learning_rate = v; },
       {1e-12, 0.1, 1000},
       {0, -0.1, 1001, kNaN, kInfinity}},
      {"training.momentum", [](RunSpec& s, double v) { s.training.momentum = v; }, {0, 0.999}, {1, -0.1, kNaN}},
      {"training.beta1", [](RunSpec& s, double v) { s.training.beta1 = v; }, {0, 0.999}, {1, -0.1, kNaN}},
      {"training.beta2", [](RunSpec& s, double v) { s.training.beta2 = v; }, {0, 0.999}, {1, -0.1, kNaN}},
      {"training.epsilon", [](RunSpec& s, double v) { s.training.epsilon = v; }, {1e-30, 1}, {0, -1, 2, kNaN}},
      {"training.l2", [](RunSpec& s, double v) { s.training.l2 = v; }, {0, 1000}, {-1e-9, 1001, kNaN}},
      {"training.batchSize",
       [&](RunSpec& s, double v) { s.training.batch_size = whole(v); },
       {1, 1 << 20},
       {0, -1, 2e6}},
      {"training.epochs", [&](RunSpec& s, double v) { s.training.epochs = whole(v); }, {1, 10'000}, {0, -1, 10'001}},
  };
  for (const Case& c : cases) {
    for (const double value : c.good) {
      INFO(c.field << " = " << value);
      CHECK(Why([&](RunSpec& s) { c.set(s, value); }).empty());
    }
    for (const double value : c.bad) {
      INFO(c.field << " = " << value);
      CHECK_THAT(Why([&](RunSpec& s) { c.set(s, value); }), Catch::StartsWith(c.field + ": "));
    }
  }
}

TEST_CASE("a perceptron has one to sixteen hidden layers, other models need none") {
  CHECK(Why([](RunSpec& s) { s.model.hidden.clear(); }).empty());
  CHECK_THAT(Why([](RunSpec& s) {
               s.model.kind = ModelKind::kMlp;
               s.model.hidden.clear();
             }),
             Catch::StartsWith("model.hidden: from 1 to 16 layers, not 0"));
  CHECK(
      Why([](RunSpec& s) { s.model = {.kind = ModelKind::kMlp, .hidden = std::vector<std::int64_t>(16, 4)}; }).empty());
  CHECK_THAT(Why([](RunSpec& s) { s.model.hidden.assign(17, 4); }), Catch::StartsWith("model.hidden"));
}

TEST_CASE("model and task go together") {
  const auto why = [](ModelKind kind, DataTask task) {
    return Why([&](RunSpec& s) {
      s.model.kind = kind;
      s.task = task;
    });
  };
  CHECK(why(ModelKind::kSoftmax, DataTask::kClassification).empty());
  CHECK(why(ModelKind::kMlp, DataTask::kClassification).empty());
  CHECK(why(ModelKind::kMlp, DataTask::kRegression).empty());
  CHECK(why(ModelKind::kLinear, DataTask::kRegression).empty());
  CHECK(why(ModelKind::kLinear, DataTask::kClassification) ==
        "model.kind: linear is for regression, and task is classification");
  CHECK(why(ModelKind::kSoftmax, DataTask::kRegression) ==
        "model.kind: softmax is for classification, and task is regression");
}

TEST_CASE("the sites of a run are names, once each, and enough for the minimum") {
  CHECK(Why([](RunSpec& s) { s.sites.clusters = {"a", "b"}; }).empty());
  CHECK(Why([](RunSpec& s) { s.sites.clusters = {"a", "b", "a"}; }) == "sites.clusters: a stands there twice");
  CHECK_THAT(Why([](RunSpec& s) { s.sites.clusters = {"A b"}; }), Catch::StartsWith("sites.clusters"));
  CHECK_THAT(Why([](RunSpec& s) {
               s.sites.clusters = {"a", "b"};
               s.sites.minimum = 3;
             }),
             Catch::StartsWith("sites.minimum: 3 is more than the 2 clusters"));
  CHECK_THAT(Why([](RunSpec& s) {
               s.sites.selector.labels = {{"Region", "eu"}};
             }),
             Catch::StartsWith("sites.selector"));
}

TEST_CASE("the sites of a run are chosen by a map of labels or by a selector, each spelled again as it was") {
  const auto read = [](const std::string& selector) {
    return FromYaml<RunSpec>("dataset: digits\nmodel:\n  kind: mlp\nsites:\n  selector: " + selector + "\n",
                             "run.yaml");
  };
  const auto map = read("{region: eu, tier: edge}");
  REQUIRE(map);
  CHECK(map->sites.selector.labels == Labels{{"region", "eu"}, {"tier", "edge"}});
  CHECK_FALSE(map->sites.selector.text);
  CHECK(ToJson(*map).at("sites").at("selector") == Json{{"region", "eu"}, {"tier", "edge"}});
  const auto text = read("region=eu,tier!=lab");
  REQUIRE(text);
  CHECK(text->sites.selector.labels.empty());
  CHECK(text->sites.selector.text == "region=eu,tier!=lab");
  CHECK(ToJson(*text).at("sites").at("selector") == "region=eu,tier!=lab");
  CHECK(FromWire<RunSpec>(ToJson(*text)).value() == *text);
  // As the runs of before are kept.
  CHECK(ToJson(RunSpec()).at("sites").at("selector") == Json::object());
  const auto list = read("[eu, us]");
  REQUIRE_FALSE(list);
  CHECK_THAT(list.error().message,
             Catch::StartsWith("run.yaml:5: ") && Catch::Contains("a map of labels, or a selector"));
}

TEST_CASE("the deadline of a round is a duration from 100ms to a year") {
  for (const char* text : {"100ms", "10m", "1h30m", "365d"}) {
    CHECK(Why([&](RunSpec& s) { s.sites.deadline = text; }).empty());
  }
  for (const char* text : {"", "10", "soon", "99ms", "0s", "366d", "-1s"}) {
    INFO(text);
    CHECK_THAT(Why([&](RunSpec& s) { s.sites.deadline = text; }), Catch::StartsWith("sites.deadline"));
  }
}

TEST_CASE("a run file is read with its defaults, and its mistakes with their line") {
  const auto spec = FromYaml<RunSpec>(
      "dataset: digits\nmodel:\n  kind: mlp\n  hidden: [32, 16]\ntraining:\n  learningRate: 0.1\nsites:\n  minimum: "
      "2\n  "
      "deadline: 90s\nrounds: 20\n",
      "run.yaml");
  REQUIRE(spec);
  CHECK(Validate(*spec));
  CHECK(spec->model.hidden == std::vector<std::int64_t>{32, 16});
  CHECK(spec->training.learning_rate == 0.1);
  CHECK(spec->training.batch_size == 32);
  CHECK(spec->rounds == 20);

  const auto misspelled = FromYaml<RunSpec>("dataset: digits\nmodel:\n  kind: mlp\n  hiden: [32]\n", "run.yaml");
  REQUIRE_FALSE(misspelled);
  CHECK(misspelled.error().id == ErrorId::kInputUnknownField);
  CHECK_THAT(misspelled.error().message, Catch::Contains("run.yaml:4") && Catch::Contains("hidden"));

  const auto no_such_kind = FromYaml<RunSpec>("dataset: digits\nmodel:\n  kind: softmx\n", "run.yaml");
  REQUIRE_FALSE(no_such_kind);
  CHECK_THAT(no_such_kind.error().message, Catch::Contains("run.yaml:3") && Catch::Contains("softmax"));
}

TEST_CASE("a run is over when it finished, failed or was cancelled") {
  Run run;
  for (const auto& [status, name] : EnumNames<RunStatus>::kNames) {
    run.status = status;
    INFO(name);
    CHECK(run.Over() == (name == "finished" || name == "failed" || name == "cancelled"));
  }
}

}  // namespace
}  // namespace ote::api
