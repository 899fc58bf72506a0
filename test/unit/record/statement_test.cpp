#include "core/record/statement.h"

#include "test/unit/record/record_fixture.h"

using namespace ote;
using Catch::Matchers::Contains;

namespace {

struct Signed {
  crypto::SigningKey authority = test::KeyOf(1);
  test::Party site = test::MakeParty(authority, "clinic-a", 5);
  api::Task task;
  api::UpdateOffer offer;

  Signed() {
    task.run = offer.run = "run-1";
    task.round = offer.round = 2;
    offer.digest = "blake2b:0";
    offer.size = 60;
    offer.examples = 30;
    offer.steps = 7.5;
    record::Countersign(offer, api::TaskDigest(task), site.name, site.key, site.certificate);
  }
  Result<void> Check(const crypto::RevocationBody* revoked = nullptr) const {
    return record::CheckOffer(offer, "clinic-a", api::TaskDigest(task), {}, authority.Public(), revoked);
  }
};

void CheckRefused(const Result<void>& result, const std::string& why) {
  REQUIRE_FALSE(result);
  CHECK(result.error().id == ErrorId::kStatementInvalid);
  CHECK_THAT(result.error().message, Contains(why));
}

}  // namespace

TEST_CASE("a site's statement holds for its answer, task and key alone") {
  CHECK(Signed().Check());
  const auto changed = [](const std::function<void(Signed&)>& change) {
    Signed bent;
    change(bent);
    return bent.Check();
  };
  CheckRefused(changed([](Signed& s) { s.offer.statement.reset(); }), "there is none");
  CheckRefused(changed([](Signed& s) { s.offer.digest = "blake2b:1"; }), "another update");
  CheckRefused(changed([](Signed& s) { s.offer.run = "run-2"; }), "another run");
  CheckRefused(changed([](Signed& s) { s.offer.round = 3; }), "another round");
  CheckRefused(changed([](Signed& s) { s.offer.kind = api::TaskKind::kEvaluate; }), "another kind");
  CheckRefused(changed([](Signed& s) { s.offer.examples = 31; }), "another number of examples");
  CheckRefused(changed([](Signed& s) { s.offer.steps = 8; }), "another number of steps");
  CheckRefused(changed([](Signed& s) { s.task.model_digest = "blake2b:2"; }), "another task");
  CheckRefused(changed([](Signed& s) { s.authority = test::KeyOf(9); }), "certificate");
  CheckRefused(changed([](Signed& s) { s.offer.statement->signature[0] ^= 1; }), "signature");
  CheckRefused(changed([](Signed& s) { s.offer.statement->body[9] ^= 1; }), "signature");
  // Another member's statement, though it is in order.
  CheckRefused(changed([](Signed& s) {
                 const auto other = test::MakeParty(s.authority, "clinic-b", 6);
                 record::Countersign(s.offer, api::TaskDigest(s.task), "clinic-b", other.key, other.certificate);
               }),
               "another cluster");
  // A member that speaks for another.
  CheckRefused(changed([](Signed& s) {
                 const auto other = test::MakeParty(s.authority, "clinic-b", 6);
                 record::Countersign(s.offer, api::TaskDigest(s.task), "clinic-a", other.key, other.certificate);
               }),
               "its certificate is of clinic-b");
}

TEST_CASE("a statement under a certificate that is void is refused") {
  crypto::RevocationBody list;
  list.serials = {BigId{5}};
  CheckRefused(Signed().Check(&list), "void");
  list.serials = {BigId{4}};
  CHECK(Signed().Check(&list));
}

TEST_CASE("a task's digest is the same whenever it is sent, and another for another task") {
  Signed s;
  const std::string digest = api::TaskDigest(s.task);
  s.task.deadline = 123;
  CHECK(api::TaskDigest(s.task) == digest);
  // A field that this ote does not know counts.
  Json newer = ToJson(s.task);
  newer["privacy"] = 1;
  CHECK(api::TaskDigest(newer) != digest);
  s.task.seed = BigId{4};
  CHECK(api::TaskDigest(s.task) != digest);
}

TEST_CASE("a site signs the statistics that it tells, and nothing of a failure") {
  Signed s;
  s.offer.kind = api::TaskKind::kSurvey;
  s.offer.digest.clear();
  s.offer.statistics = fake::Survey(20);
  record::Countersign(s.offer, api::TaskDigest(s.task), s.site.name, s.site.key, s.site.certificate);
  const std::string told = record::DigestOfStatistics(ToJson(s.offer));
  const auto check = [&](const std::string& statistics) {
    return record::CheckOffer(s.offer, "clinic-a", api::TaskDigest(s.task), statistics, s.authority.Public(), nullptr);
  };
  CHECK(check(told));
  s.offer.statistics->rows += 1;
  CheckRefused(check(record::DigestOfStatistics(ToJson(s.offer))), "another update");
  s.offer.failed = true;
  record::Countersign(s.offer, api::TaskDigest(s.task), s.site.name, s.site.key, s.site.certificate);
  CHECK_FALSE(s.offer.statement);
}
