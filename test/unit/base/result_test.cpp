#include "core/base/result.h"

#include <catch2/catch.hpp>
#include <set>

using ote::Error;
using ote::ErrorId;
using ote::Exit;
using ote::Fail;
using ote::Result;

TEST_CASE("an error names its code, its exit status and its advice") {
  const Error error{ErrorId::kTokenExpired, "token a1: it expired an hour ago", ""};
  CHECK(error.Code() == "OTE-E0102");
  CHECK(error.ExitStatus() == Exit::kRefused);
  CHECK(ote::InfoOf(error.id).name == "kTokenExpired");
  CHECK_FALSE(ote::InfoOf(error.id).advice.empty());
}

TEST_CASE("an error is found by each of its spellings, and by no other") {
  const ote::ErrorInfo* row = ote::FindError("E0102");
  REQUIRE(row != nullptr);
  CHECK(row->id == ErrorId::kTokenExpired);
  CHECK(ote::FindError("OTE-E0102") == row);
  CHECK(ote::FindError("102") == row);
  for (const char* wrong : {"", "E", "E9999", "E0102x", "x102", "-102", "65638", "OTE-"})
    CHECK(ote::FindError(wrong) == nullptr);
}

TEST_CASE("a number that a newer peer sends is shown as a bug, not as something else") {
  CHECK(ote::InfoOf(static_cast<ErrorId>(9999)).id == ErrorId::kInternal);
}

TEST_CASE("the table is in order, and every row says something") {
  const auto [rows, count] = ote::AllErrors();
  REQUIRE(count > 50);
  for (std::size_t i = 0; i < count; ++i) {
    INFO(rows[i].name);
    CHECK((i == 0 || rows[i - 1].id < rows[i].id));
    CHECK_FALSE(rows[i].title.empty());
    CHECK(rows[i].title.back() != '.');
    CHECK(rows[i].advice.back() == '.');
  }
}

namespace {

Result<int> Parse(bool good) {
  if (good) return 7;
  return Fail(ErrorId::kMalformed, "it is bad", "try another");
}
Result<std::string> Outer(bool good) {
  OTE_TRY(const int value, Parse(good));
  return std::to_string(value);
}
Result<void> Checked(bool good) {
  OTE_CHECK(Parse(good));
  return {};
}

}  // namespace

TEST_CASE("a failure passes through the layers with its id and its hint, and each adds its context") {
  CHECK(Outer(true).value() == "7");
  CHECK(Checked(true).has_value());
  CHECK_FALSE(Checked(false).has_value());
  auto failed = Outer(false);
  REQUIRE_FALSE(failed.has_value());
  const Error error = std::move(failed.error()).Context("run.yaml").Context("ote fl run");
  CHECK(error.message == "ote fl run: run.yaml: it is bad");
  CHECK(error.hint == "try another");
  CHECK(error.id == ErrorId::kMalformed);
}
