#include "core/parcel/parcel.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "crypto/digest.h"
#include "test/fake/papers.h"

using namespace ote;
using test::Papers;

namespace {

parcel::Parcel TaskFor(const Papers& papers, const test::Party& from, const test::Party& to) {
  return parcel::Pack(papers.Task(), from.Issuer(), to.name, to.transport.Public()).value();
}
parcel::Parcel OfferFrom(const Papers& papers, const test::Party& from) {
  const auto task = papers.Task();
  const auto named = parcel::NameOfTask(api::TaskDigest(task.task), task.seals.answer_key);
  return parcel::Pack(papers.Offer(), named, from.Issuer(), "hq", papers.run_key.Public()).value();
}
ErrorId AtSite(const Papers& papers, const parcel::Parcel& parcel) {
  const auto opened = parcel::OpenTask(parcel, papers.AtSite(), papers.site.transport);
  return opened ? ErrorId{} : opened.error().id;
}
ErrorId AtRoot(const Papers& papers, const parcel::Parcel& parcel) {
  const auto opened = parcel::OpenOffer(parcel, papers.AtRoot(), papers.run_key);
  return opened ? ErrorId{} : opened.error().id;
}
bool Holds(const Bytes& bytes, std::string_view text) {
  return std::search(bytes.begin(), bytes.end(), text.begin(), text.end()) != bytes.end();
}
Bytes WithFlipped(Bytes bytes, std::size_t at) {
  bytes[at] ^= 1;
  return bytes;
}

}  // namespace

TEST_CASE("a task and its answer go through parcels and come out as they were") {
  const Papers papers;
  const auto task = parcel::OpenTask(TaskFor(papers, papers.root, papers.site), papers.AtSite(), papers.site.transport);
  REQUIRE(task);
  CHECK(ToCbor(task->content) == ToCbor(papers.Task()));
  CHECK(task->issuer.name == "hq");
  const auto offer = parcel::OpenOffer(OfferFrom(papers, papers.site), papers.AtRoot(), papers.run_key);
  REQUIRE(offer);
  CHECK(ToCbor(offer->content) == ToCbor(papers.Offer()));
  const auto named = parcel::NameOfTask(api::TaskDigest(task->content.task), task->content.seals.answer_key);
  CHECK(std::ranges::equal(offer->head.answers, named));
}

TEST_CASE("whoever carries a parcel sees where it goes, and nothing of what is in it") {
  const Papers papers;
  const auto parcel = TaskFor(papers, papers.root, papers.site);
  const auto head = parcel::ReadHead(parcel).value();
  CHECK(head.kind == parcel::Kind::kTask);
  CHECK(head.issuer == "hq");
  CHECK(head.receiver == "clinic-a");
  CHECK(head.run == "run-7k2m9q4x0d");
  CHECK(head.round == 3);
  CHECK_FALSE(Holds(ToCbor(parcel), "haemophilia"));
  CHECK_FALSE(Holds(ToCbor(parcel), "modelDigest"));
}

TEST_CASE("a parcel of which any byte was changed is refused") {
  const Papers papers;
  const auto good = TaskFor(papers, papers.root, papers.site);
  const auto each = [&](Bytes parcel::Parcel::*part) {
    for (std::size_t i = 0; i < (good.*part).size(); i += 7) {
      auto bad = good;
      bad.*part = WithFlipped(good.*part, i);
      CHECK(AtSite(papers, bad) != ErrorId{});
    }
  };
  each(&parcel::Parcel::head);
  each(&parcel::Parcel::body);
  each(&parcel::Parcel::signature);
  auto bad = good;
  bad.body = WithFlipped(good.body, good.body.size() / 2);
  CHECK(AtSite(papers, bad) == ErrorId::kSignatureInvalid);
  bad = good;
  bad.signature.resize(10);
  CHECK(AtSite(papers, bad) == ErrorId::kSignatureInvalid);
  bad = good;
  bad.certificate.body = WithFlipped(good.certificate.body, 40);
  CHECK(AtSite(papers, bad) == ErrorId::kCertificateInvalid);
  bad = good;
  bad.head.clear();
  CHECK(AtSite(papers, bad) == ErrorId::kParcelMalformed);
}

TEST_CASE("a parcel for another is refused, also when it is said to be ours") {
  const Papers papers;
  CHECK(AtSite(papers, TaskFor(papers, papers.root, papers.other)) == ErrorId::kParcelNotMine);
  const auto task = papers.Task();
  const auto renamed =
      parcel::Pack(task, papers.root.Issuer(), papers.site.name, papers.other.transport.Public()).value();
  CHECK(AtSite(papers, renamed) == ErrorId::kSealBroken);
}

TEST_CASE("a task that is not from the root is refused") {
  const Papers papers;
  CHECK(AtSite(papers, TaskFor(papers, papers.other, papers.site)) == ErrorId::kParcelIssuer);
  // In the root's name, with papers of its own.
  auto forged = papers.other.Issuer();
  forged.name = "hq";
  const auto parcel = parcel::Pack(papers.Task(), forged, "clinic-a", papers.site.transport.Public()).value();
  CHECK(AtSite(papers, parcel) == ErrorId::kParcelIssuer);
  // In the root's name, with the root's papers.
  const parcel::Issuer stolen{"hq", papers.other.sign, papers.root.paper};
  const auto signed_by_another = parcel::Pack(papers.Task(), stolen, "clinic-a", papers.site.transport.Public());
  CHECK(AtSite(papers, signed_by_another.value()) == ErrorId::kSignatureInvalid);
  const Papers elsewhere;
  CHECK(AtSite(papers, TaskFor(elsewhere, elsewhere.root, papers.site)) == ErrorId::kCertificateInvalid);
}

TEST_CASE("an answer in the name of another member is refused") {
  const Papers papers;
  CHECK(AtRoot(papers, OfferFrom(papers, papers.site)) == ErrorId{});
  CHECK(AtRoot(papers, OfferFrom(papers, papers.other)) == ErrorId::kParcelIssuer);
  auto forged = papers.other.Issuer();
  forged.name = "clinic-a";
  const auto parcel = parcel::Pack(papers.Offer(), {}, forged, "hq", papers.run_key.Public()).value();
  CHECK(AtRoot(papers, parcel) == ErrorId::kParcelIssuer);
}

TEST_CASE("a task does not pass for an answer, nor an answer for a task") {
  const Papers papers;
  const auto task = parcel::Pack(papers.Task(), papers.root.Issuer(), "hq", papers.run_key.Public()).value();
  CHECK(AtRoot(papers, task) == ErrorId::kParcelMalformed);
  const auto offer =
      parcel::Pack(papers.Offer(), {}, papers.root.Issuer(), "clinic-a", papers.site.transport.Public()).value();
  CHECK(AtSite(papers, offer) == ErrorId::kParcelMalformed);
}

TEST_CASE("a body is good under its own head alone") {
  const Papers papers;
  auto later = papers.Task();
  later.task.round = 4;
  const auto of_four = parcel::Pack(later, papers.root.Issuer(), "clinic-a", papers.site.transport.Public()).value();
  auto mixed = TaskFor(papers, papers.root, papers.site);
  mixed.head = of_four.head;
  CHECK(AtSite(papers, mixed) == ErrorId::kSignatureInvalid);
  // Signed anew by the root itself, it is still not what was sealed.
  Bytes message;
  for (int i = 0; i < 8; ++i) message.push_back(i == 0 ? static_cast<std::uint8_t>(mixed.head.size()) : 0);
  message.insert(message.end(), mixed.head.begin(), mixed.head.end());
  const auto digest = crypto::DigestOf(mixed.body);
  message.insert(message.end(), digest.bytes.begin(), digest.bytes.end());
  const auto signature = papers.root.sign.Sign("ote-parcel-v1", message);
  mixed.signature.assign(signature.begin(), signature.end());
  CHECK(AtSite(papers, mixed) == ErrorId::kSealBroken);
}

TEST_CASE("certificates that are over or void do not carry parcels") {
  const Papers papers;
  const auto parcel = TaskFor(papers, papers.root, papers.site);
  auto expected = papers.AtSite();
  expected.dates = crypto::Validity{test::kPapersNow + 10'000'000};
  CHECK(parcel::OpenTask(parcel, expected, papers.site.transport).error().id == ErrorId::kCertificateExpired);
  expected.dates.reset();
  CHECK(parcel::OpenTask(parcel, expected, papers.site.transport));
  crypto::RevocationBody body;
  body.number = 1;
  body.serials = {BigId{1}};
  const auto fingerprint = crypto::FingerprintOf(papers.authority.Public());
  body.authority.assign(fingerprint.begin(), fingerprint.end());
  const auto list = crypto::IssueRevocationList(papers.authority, body);
  expected.revocations = &list;
  CHECK(parcel::OpenTask(parcel, expected, papers.site.transport).error().id == ErrorId::kRevoked);
}

TEST_CASE("a task keeps its name whenever it is sent, and has another in every run") {
  const Papers papers;
  auto task = papers.Task();
  const auto name = parcel::NameOfTask(api::TaskDigest(task.task), task.seals.answer_key);
  task.task.deadline = 12345;
  CHECK(parcel::NameOfTask(api::TaskDigest(task.task), task.seals.answer_key) == name);
  CHECK(parcel::NameOfTask(api::TaskDigest(task.task), papers.site.transport.Public().bytes) != name);
  task.task.seed = BigId{7};
  CHECK(parcel::NameOfTask(api::TaskDigest(task.task), task.seals.answer_key) != name);
}
