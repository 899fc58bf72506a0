#include "core/api/operator.h"

#include <catch2/catch.hpp>

#include "core/api/trust.h"
#include "test/unit/api/operator_samples.h"

using namespace ote;
using test::Named;

TEST_CASE("a list of operators holds under its authority only, and by name") {
  const auto authority = crypto::SigningKey::Generate();
  api::OperatorBody body;
  body.number = 3;
  body.items = {Named("zoe", 2), Named("kim", 1)};
  const auto list = api::IssueOperatorList(authority, body);
  REQUIRE(list);
  const auto read = api::CheckOperatorList(*list, authority.Public(), 3);
  REQUIRE(read);
  CHECK(read->items.at(0).name == "kim");
  CHECK(read->items.at(1).name == "zoe");
  const auto other = api::CheckOperatorList(*list, crypto::SigningKey::Generate().Public(), 0);
  REQUIRE_FALSE(other);
  CHECK(other.error().id == ErrorId::kSignatureInvalid);
  auto forged = *list;
  forged.body.back() ^= 1;
  CHECK(api::CheckOperatorList(forged, authority.Public(), 0).error().id == ErrorId::kSignatureInvalid);
}

TEST_CASE("an old list of operators that is played again is refused") {
  const auto authority = crypto::SigningKey::Generate();
  api::OperatorBody body;
  body.number = 4;
  const auto list = api::IssueOperatorList(authority, body);
  REQUIRE(list);
  CHECK(api::CheckOperatorList(*list, authority.Public(), 4));
  CHECK(api::CheckOperatorList(*list, authority.Public(), 5).error().id == ErrorId::kConflict);
}

TEST_CASE("a list of operators has each name and each key once, and nobody called local") {
  const auto authority = crypto::SigningKey::Generate();
  const auto refused = [&](std::vector<api::Operator> items) {
    api::OperatorBody body;
    body.items = std::move(items);
    return !api::IssueOperatorList(authority, body).has_value();
  };
  CHECK(refused({Named("kim", 1), Named("kim", 2)}));
  CHECK(refused({Named("kim", 1), Named("zoe", 1)}));
  CHECK(refused({Named("local", 1)}));
  CHECK(refused({Named("Kim", 1)}));
  auto keyless = Named("kim", 1);
  keyless.transport_key.pop_back();
  CHECK(refused({keyless}));
  CHECK(refused(std::vector<api::Operator>(api::kMostOperators + 1, Named("kim", 1))));
  CHECK_FALSE(refused({Named("kim", 1), Named("zoe", 2)}));
}

TEST_CASE("an operator is one until the key ends or is revoked") {
  auto kim = Named("kim", 1);
  kim.expires_at = 1000;
  CHECK(kim.ActiveAt(1000));
  CHECK_FALSE(kim.ActiveAt(1001));
  kim.revoked = true;
  CHECK_FALSE(kim.ActiveAt(1));
}
