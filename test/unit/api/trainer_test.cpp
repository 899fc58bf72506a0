#include "core/api/trainer.h"

#include <catch2/catch.hpp>

using namespace ote;
using api::SplitCommand;
using Words = std::vector<std::string>;

namespace {

api::Trainer Good() {
  api::Trainer trainer;
  trainer.name = "torch";
  trainer.command = "python3 train.py";
  return trainer;
}
ErrorId WhyNot(const api::Trainer& trainer) {
  const auto valid = api::Validate(trainer);
  return valid ? ErrorId{} : valid.error().id;
}

}  // namespace

TEST_CASE("a command is parted at blanks, and quotes hold words together") {
  const std::vector<std::pair<std::string, Words>> cases = {
      {"python3 train.py", {"python3", "train.py"}},
      {"  a\t b \n c ", {"a", "b", "c"}},
      {"sh -c 'echo \"$X\" | cat > y; exit 3'", {"sh", "-c", "echo \"$X\" | cat > y; exit 3"}},
      {R"(a "b c" d"e f"'g h'i)", {"a", "b c", "de fg hi"}},
      {R"(a '' "")", {"a", "", ""}},
      {R"("a \"b\" \\ \n")", {R"(a "b" \ \n)"}},
      {R"('a \ b')", {R"(a \ b)"}},
      {R"(a\ b \'c\' \\)", {"a b", "'c'", "\\"}},
      {"tränen --größe=1", {"tränen", "--größe=1"}},
      {"a $HOME * ~ `b` $(c) > d & e", {"a", "$HOME", "*", "~", "`b`", "$(c)", ">", "d", "&", "e"}},
  };
  for (const auto& [text, words] : cases) {
    INFO(text);
    const auto split = SplitCommand(text);
    REQUIRE(split);
    CHECK(*split == words);
  }
}

TEST_CASE("a command that has no end or no beginning is refused") {
  for (const std::string& text : {std::string(), std::string("  "), std::string("a 'b"), std::string("a \"b\\\""),
                                  std::string("a \\"), std::string("'' a"), std::string("a\0b", 3)}) {
    INFO(text);
    const auto split = SplitCommand(text);
    REQUIRE_FALSE(split);
    CHECK(split.error().id == ErrorId::kTrainerInvalid);
  }
}

TEST_CASE("placeholders become paths, and other braces stay") {
  const std::map<std::string, std::string> paths = {{"task", "/w/{model}"}, {"model", "/w/m"}};
  const auto filled =
      api::FillPlaceholders({"a", "{task}", "x={model},{model}", "{\"a\": {}}", "{", "{}", "{A}"}, paths);
  REQUIRE(filled);
  CHECK(*filled == Words{"a", "/w/{model}", "x=/w/m,/w/m", "{\"a\": {}}", "{", "{}", "{A}"});
  const auto unknown = api::FillPlaceholders({"{modle}"}, paths);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().hint.find("{model}") != std::string::npos);
}

TEST_CASE("a trainer is checked field by field before it is kept") {
  CHECK(api::Validate(Good()));
  const auto with = [](auto change) {
    auto trainer = Good();
    change(trainer);
    return WhyNot(trainer);
  };
  CHECK(with([](auto& t) { t.name = "../x"; }) == ErrorId::kMalformed);
  CHECK(with([](auto& t) { t.command = "python3 {modle}"; }) == ErrorId::kTrainerInvalid);
  CHECK(with([](auto& t) { t.command = std::string(5000, 'a'); }) == ErrorId::kTrainerInvalid);
  CHECK(with([](auto& t) { t.time_limit = "1ms"; }) == ErrorId::kTrainerInvalid);
  CHECK(with([](auto& t) { t.time_limit = "10"; }) == ErrorId::kTrainerInvalid);
  CHECK(with([](auto& t) { t.memory = "1MiB"; }) == ErrorId::kTrainerInvalid);
  CHECK(with([](auto& t) { t.memory = "lots"; }) == ErrorId::kTrainerInvalid);
  CHECK(with([](auto& t) { t.memory = "0"; }) == ErrorId{});
  CHECK(with([](auto& t) { t.datasets = {"a", "a"}; }) == ErrorId::kTrainerInvalid);
  CHECK(with([](auto& t) { t.read = {"venv"}; }) == ErrorId::kTrainerInvalid);
  CHECK(with([](auto& t) { t.env = {{"OTE_TASK", "x"}}; }) == ErrorId::kTrainerInvalid);
  CHECK(with([](auto& t) { t.env = {{"A=B", "x"}}; }) == ErrorId::kTrainerInvalid);
  CHECK(with([](auto& t) { t.env = {{"CUDA_VISIBLE_DEVICES", "0,1"}}; }) == ErrorId{});
}

TEST_CASE("the same trainer is the same whenever it was registered and wherever it runs") {
  auto other = Good();
  other.registered_at = 5;
  other.runs_in = "bubblewrap";
  CHECK(api::SameTrainer(Good(), other));
  other.memory = "3GiB";
  CHECK_FALSE(api::SameTrainer(Good(), other));
}
