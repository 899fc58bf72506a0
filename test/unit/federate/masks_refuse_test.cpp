// What a site must not do, whatever the root asks for.
#include <catch2/catch.hpp>

#include "test/fake/mask_cohort.h"

namespace ote::federate {
namespace {

using fake::MaskCohort;
using fake::MaskSite;
using fake::Must;
using Names = std::set<std::string>;

template <class T>
void CheckFails(const Result<T>& result, ErrorId id, std::string_view part = {}) {
  REQUIRE_FALSE(result.has_value());
  INFO(result.error().message);
  CHECK(result.error().id == id);
  CHECK(result.error().message.find(part) != std::string::npos);
}

struct Closed {
  MaskCohort cohort{10};
  Names all = cohort.All();
  Names rest;
  Closed() {
    rest = all;
    rest.erase("site-0004");
    cohort.Keys(all);
    cohort.Shares(all);
    cohort.Train(rest);
  }
  api::Task Consent() { return cohort.Task(api::TaskKind::kMaskConsent, cohort.root->ForConsent()); }
  api::Task Unmask() { return cohort.Task(api::TaskKind::kMaskUnmask, cohort.root->ForUnmask()); }
  // The root says now that other sites are in the sum.
  void Pretend(const Names& survivors) { cohort.root->Close(survivors); }
};

TEST_CASE("a site refuses to give both secrets of another, also after a restart") {
  Closed closed;
  closed.cohort.Consents(closed.rest);
  const auto given = Must(FromCbor<api::MaskShares>(closed.cohort.Answer("site-0000", closed.Unmask())));
  for (const api::MaskShare& share : given.shares) CHECK(share.key == (share.of == 4));
  // Now all of them are said to have stayed but site-0005.
  Names other = closed.all;
  other.erase("site-0005");
  closed.Pretend(other);
  closed.cohort.Restart(closed.cohort.sites.at("site-0000"));
  CheckFails(closed.cohort.TryAnswer("site-0000", closed.Unmask()), ErrorId::kMaskRefused, "another list of survivors");
  CheckFails(closed.cohort.TryAnswer("site-0000", closed.Consent()), ErrorId::kMaskRefused,
             "another list of survivors");
  // The same question once more has the same answer.
  closed.Pretend(closed.rest);
  CHECK(closed.cohort.Answer("site-0000", closed.Unmask()) == ToCbor(given));
}

TEST_CASE("a site signs one list of survivors, and gives shares for no other") {
  Closed closed;
  closed.cohort.Answer("site-0000", closed.Consent());
  Names other = closed.all;
  other.erase("site-0005");
  closed.Pretend(other);
  closed.cohort.Restart(closed.cohort.sites.at("site-0000"));
  CheckFails(closed.cohort.TryAnswer("site-0000", closed.Consent()), ErrorId::kMaskRefused);
}

TEST_CASE("a site that has given shares takes no part in another try of the round, and does in the next round") {
  Closed closed;
  closed.cohort.Consents(closed.rest);
  closed.cohort.Answer("site-0000", closed.Unmask());
  closed.cohort.which.attempt = 2;
  CheckFails(closed.cohort.TryAnswer("site-0000", closed.cohort.KeysTask()), ErrorId::kMaskRefused, "has given shares");
  closed.cohort.sites.at("site-0000").kept.Wipe();  // the round is over
  CheckFails(closed.cohort.TryAnswer("site-0000", closed.cohort.KeysTask()), ErrorId::kMaskRefused, "has given shares");
  closed.cohort.which.round = 2;
  CHECK(closed.cohort.TryAnswer("site-0000", closed.cohort.KeysTask()).has_value());
}

TEST_CASE("a site takes part in another try when it has given no shares, and forgets the first") {
  Closed closed;
  closed.cohort.Answer("site-0000", closed.Consent());
  const api::Task old = closed.Unmask();
  closed.cohort.which.attempt = 2;
  CHECK(closed.cohort.TryAnswer("site-0000", closed.cohort.KeysTask()).has_value());
  CheckFails(closed.cohort.TryAnswer("site-0000", old), ErrorId::kMaskSecretsLost);
  closed.cohort.which.attempt = 1;
  CheckFails(closed.cohort.TryAnswer("site-0000", closed.cohort.KeysTask()), ErrorId::kRoundStale);
}

TEST_CASE("a site refuses to unmask for too few survivors") {
  Closed closed;
  Names few;
  for (const std::string& name : closed.all) {
    if (few.size() + 1 < closed.cohort.root->plan().quorum) few.insert(name);
  }
  closed.Pretend(few);
  CheckFails(closed.cohort.TryAnswer("site-0000", closed.Consent()), ErrorId::kMaskRefused, "survivors, and");
  CheckFails(closed.cohort.TryAnswer("site-0000", closed.Unmask()), ErrorId::kMaskRefused, "survivors, and");
}

TEST_CASE("a site refuses a list of survivors that it is not on") {
  Closed closed;
  CheckFails(closed.cohort.TryAnswer("site-0004", closed.Consent()), ErrorId::kMaskRefused, "not among the survivors");
}

TEST_CASE("a site gives no share before a quorum has signed the same list") {
  Closed closed;
  Names few;
  for (const std::string& name : closed.rest) {
    if (few.size() + 1 < closed.cohort.root->plan().quorum) few.insert(name);
  }
  closed.cohort.Consents(few);
  CheckFails(closed.cohort.TryAnswer("site-0009", closed.Unmask()), ErrorId::kMaskRefused, "agreed to the list");
}

TEST_CASE("signatures under another list or by another site do not count") {
  Closed closed;
  // As many as are needed: each of them counts.
  Names signed_by(closed.rest.begin(), std::next(closed.rest.begin(), 6));
  REQUIRE(closed.cohort.root->plan().quorum == signed_by.size());
  closed.cohort.Consents(signed_by);
  api::Task forged = closed.Unmask();
  std::swap_ranges(forged.masks->signatures.begin(), forged.masks->signatures.begin() + 64,
                   forged.masks->signatures.begin() + 64);
  CheckFails(closed.cohort.TryAnswer("site-0000", forged), ErrorId::kMaskForged, "has not");
  api::Task cut = closed.Unmask();
  cut.masks->signatures.resize(64);
  CheckFails(closed.cohort.TryAnswer("site-0000", cut), ErrorId::kMaskForged, "missing");
  // Signed for this list, and shown with another: a surplus of survivors.
  api::Task other = closed.Unmask();
  other.masks->survivors = PackPlaces(std::vector<bool>(10, true));
  CheckFails(closed.cohort.TryAnswer("site-0009", other), ErrorId::kMaskForged, "has not");
}

TEST_CASE("of more signatures than are needed fewer than a quorum of good ones never pass") {
  Closed closed;
  closed.cohort.Consents(closed.rest);
  api::Task shown = closed.Unmask();
  REQUIRE(shown.masks->signatures.size() == 9 * 64);
  // Four of nine are forged, and 6 are needed; whichever are looked at, it shows.
  for (const std::size_t forged : {0U, 3U, 5U, 8U}) shown.masks->signatures[forged * 64] ^= 1;
  for (int i = 0; i < 20; ++i) {
    CheckFails(closed.cohort.TryAnswer("site-0000", shown), ErrorId::kMaskForged, "has not");
  }
  // With three of them there are six good ones, which are enough, and a site may have looked at those.
  shown.masks->signatures[0] ^= 1;
  for (int i = 0; i < 20; ++i) {
    const auto answer = closed.cohort.TryAnswer("site-0000", shown);
    if (!answer) CHECK(answer.error().id == ErrorId::kMaskForged);
  }
}

TEST_CASE("a site that is asked for shares once more deals others, and its neighbours can read them") {
  MaskCohort cohort(5);
  cohort.Keys(cohort.All());
  const api::Task task = cohort.Task(api::TaskKind::kMaskShares, cohort.root->ForShares("site-0001"));
  const Bytes first = cohort.Answer("site-0001", task);
  cohort.Restart(cohort.sites.at("site-0001"));
  CHECK(cohort.sites.at("site-0001").kept.seal_key.empty());  // what it was for is done
  const Bytes second = cohort.Answer("site-0001", task);
  CHECK(first != second);
  cohort.Shares(cohort.All());
  const auto sum = cohort.Train(cohort.All());
  cohort.Consents(cohort.All());
  cohort.Gives(cohort.All());
  auto unmasked = sum;
  Must(cohort.root->Unmask(unmasked));
  const auto plain = cohort.PlainSum(cohort.All());
  CHECK(std::equal(plain.begin(), plain.end(), unmasked.values().begin()));
}

TEST_CASE("a key that the root put in the place of a site's is noticed by its neighbours") {
  MaskCohort cohort(5);
  cohort.Keys(cohort.All());
  const auto ask = [&](api::MaskTask masks) {
    return cohort.TryAnswer("site-0000", cohort.Task(api::TaskKind::kMaskShares, std::move(masks)));
  };
  api::MaskTask changed = cohort.root->ForShares("site-0000");
  auto body = Must(FromCbor<api::MaskKeysBody>(changed.members[0].keys.body));
  const auto own = crypto::TransportKey::Generate();
  body.mask_key.assign(own.Public().bytes.begin(), own.Public().bytes.end());
  changed.members[0].keys.body = ToCbor(body);
  CheckFails(ask(changed), ErrorId::kMaskForged, "has not signed");
  // Signed by the root with a key of its own, under the site's certificate, or under one that it made itself.
  const auto stranger = crypto::SigningKey::Generate();
  const auto head = HeadOf(stranger.Public(), changed.members[0].keys.body);
  api::MaskTask resigned = changed;
  resigned.members[0].keys = SignMaskKeys(body, stranger, changed.members[0].keys.certificate);
  std::copy(head.begin(), head.end(), resigned.heads.begin() + kMaskHead);
  CheckFails(ask(resigned), ErrorId::kMaskForged);
  fake::MaskAuthority elsewhere;
  const auto impostor = elsewhere.Admit("site-0001");
  api::MaskTask replaced = changed;
  replaced.members[0].keys = SignMaskKeys(body, *impostor.key, impostor.certificate);
  CheckFails(ask(replaced), ErrorId::kMaskForged, "site-0001");
}

TEST_CASE("a certificate that was good before is refused when it is revoked, altered, or of another authority") {
  fake::MaskAuthority authority;
  const MaskIdentity member = authority.Admit("site-0001");
  const auto check = CertifiedBy(authority.Public(), {});
  REQUIRE(check("site-0001", member.certificate).has_value());
  REQUIRE(check("site-0001", member.certificate).value() == member.key->Public());
  CheckFails(check("site-0002", member.certificate), ErrorId::kMaskForged, "that of site-0001");
  const auto serial = Must(FromCbor<crypto::CertificateBody>(member.certificate.body)).serial;
  CheckFails(CertifiedBy(authority.Public(), {serial})("site-0001", member.certificate), ErrorId::kMaskForged,
             "revoked");
  CheckFails(CertifiedBy(fake::MaskAuthority().Public(), {})("site-0001", member.certificate), ErrorId::kMaskForged);
  for (const bool body : {true, false}) {
    crypto::Certificate altered = member.certificate;
    Bytes& bytes = body ? altered.body : altered.signature;
    for (const std::size_t at : {std::size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
      bytes[at] ^= 1;
      CheckFails(check("site-0001", altered), ErrorId::kMaskForged);
      bytes[at] ^= 1;
    }
  }
}

TEST_CASE("a site that is left out of the roster, or is given other neighbours, shares nothing") {
  MaskCohort cohort(5);
  cohort.Keys(cohort.All());
  const auto ask = [&](api::MaskTask masks) {
    return cohort.TryAnswer("site-0000", cohort.Task(api::TaskKind::kMaskShares, std::move(masks)));
  };
  api::MaskTask missing = cohort.root->ForShares("site-0000");
  missing.members.pop_back();
  CheckFails(ask(missing), ErrorId::kMaskForged, "other neighbours");
  api::MaskTask twice = cohort.root->ForShares("site-0000");
  twice.members[1] = twice.members[0];
  CheckFails(ask(twice), ErrorId::kMaskForged);
  api::MaskTask elsewhere = cohort.root->ForShares("site-0001");
  CheckFails(ask(elsewhere), ErrorId::kMaskForged, "keys of this cluster");
  api::MaskTask alike = cohort.root->ForShares("site-0000");
  std::copy_n(alike.heads.begin() + kMaskHead, kMaskHead, alike.heads.begin() + 2 * kMaskHead);
  CheckFails(ask(alike), ErrorId::kMaskForged, "are one");
}

TEST_CASE("keys of another round or run are refused, and so are its shares") {
  MaskCohort cohort(5);
  cohort.Keys(cohort.All());
  cohort.Shares(cohort.All());
  const auto old_keys = cohort.keys;
  const auto old = cohort.root->ForTraining("site-0000", 0).parcels;
  cohort.which.round = 2;
  CheckFails(RootMasks::Make(cohort.which, old_keys, cohort.authority.Check()), ErrorId::kMaskForged, "round 1");
  cohort.Keys(cohort.All());
  cohort.Shares(cohort.All());
  api::MaskTask replayed = cohort.root->ForTraining("site-0000", 0);
  replayed.parcels = old;
  MaskSite& site = cohort.sites.at("site-0000");
  std::vector<std::uint32_t> words(9);
  Must(MaskWords(cohort.Task(api::TaskKind::kTrain, replayed), site.kept, words));
  CHECK(site.kept.held.size() == 1);  // its own alone: none of the old ones opened
}

TEST_CASE("a site without the secrets of a round says so, and takes part in the next") {
  Closed closed;
  closed.cohort.Consents(closed.rest);
  closed.cohort.sites.at("site-0000").kept = SiteMasks();
  CheckFails(closed.cohort.TryAnswer("site-0000", closed.Unmask()), ErrorId::kMaskSecretsLost);
  closed.cohort.which.round = 2;
  CHECK(closed.cohort.TryAnswer("site-0000", closed.cohort.KeysTask()).has_value());
}

TEST_CASE("with too few dealt shares a site sends no update") {
  MaskCohort cohort(5);
  cohort.Keys(cohort.All());
  cohort.Shares(cohort.All());
  api::MaskTask few = cohort.root->ForTraining("site-0000", 0);
  few.parcels.resize(cohort.root->plan().needed - 2);
  std::vector<std::uint32_t> words(9);
  CheckFails(MaskWords(cohort.Task(api::TaskKind::kTrain, few), cohort.sites.at("site-0000").kept, words),
             ErrorId::kMaskTooFew);
  CHECK(words == std::vector<std::uint32_t>(9));
}

TEST_CASE("the root takes no shares of what it did not ask for, and no deal that lacks one") {
  Closed closed;
  closed.cohort.Consents(closed.rest);
  auto shares = Must(FromCbor<api::MaskShares>(closed.cohort.Answer("site-0000", closed.Unmask())));
  auto& root = *closed.cohort.root;
  auto flipped = shares;
  flipped.shares[1].key = !flipped.shares[1].key;
  CheckFails(root.TakeShares("site-0000", ToCbor(flipped)), ErrorId::kMaskShareInvalid, "not asked for");
  auto twice = shares;
  twice.shares.push_back(twice.shares[0]);
  CheckFails(root.TakeShares("site-0000", ToCbor(twice)), ErrorId::kMaskShareInvalid);
  auto far = shares;
  far.shares[0].of = 10;
  CheckFails(root.TakeShares("site-0000", ToCbor(far)), ErrorId::kMaskShareInvalid);
  CheckFails(root.TakeShares("nobody", ToCbor(shares)), ErrorId::kUpdateUnasked);
  auto deal = Must(FromCbor<api::MaskDeal>(closed.cohort.deals.at("site-0000")));
  deal.parcels.pop_back();
  CheckFails(root.TakeDeal("site-0000", ToCbor(deal)), ErrorId::kMaskForged);
}

TEST_CASE("secrets are wiped where they stood, and the rounds that were spent stay known") {
  Closed closed;
  closed.cohort.Consents(closed.rest);
  closed.cohort.Answer("site-0000", closed.Unmask());
  SiteMasks& kept = closed.cohort.sites.at("site-0000").kept;
  const std::uint8_t* seed = kept.seed.data();
  const auto capacity = kept.seed.capacity();
  REQUIRE(kept.neighbours.front().seal.size() == 32);
  kept.Wipe();
  CHECK(kept.neighbours.empty());
  CHECK(kept.seed.empty());
  CHECK(kept.seed.capacity() == capacity);
  CHECK(std::all_of(seed, seed + 32, [](std::uint8_t byte) { return byte == 0; }));
  CHECK(kept.spent == 1);
  const auto again = Must(FromCbor<SiteMasks>(ToCbor(kept)));
  CHECK(again.spent == 1);
}

}  // namespace
}  // namespace ote::federate
