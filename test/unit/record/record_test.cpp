// What a record shows when nobody touched it, and what is found when somebody did.
#include "test/unit/record/record_fixture.h"

using namespace ote;
using Catch::Matchers::Contains;
using test::Why;

namespace {

std::vector<std::string> ResultsOf(const record::Audit& audit) {
  std::vector<std::string> out;
  for (const auto& entry : audit.entries) out.push_back(entry.kind + " " + entry.result);
  return out;
}

api::RunSpec Small(std::int64_t rounds = 2) { return fake::MakeSpec(rounds, 2); }

// The audit names the entry `seq`, and says `why`.
void CheckBroken(const record::Audit& audit, std::int64_t seq, const std::string& why) {
  INFO(Why(audit));
  CHECK_FALSE(audit.holds);
  REQUIRE(audit.broken.has_value());
  CHECK_THAT(audit.broken->message, Contains("entry " + std::to_string(seq)) && Contains(why));
  CHECK(std::cmp_equal(audit.entries.size(), seq));
}

}  // namespace

TEST_CASE("the record of a run holds from its beginning to its end") {
  test::RecordedRun run(Small());
  run.Play();
  const auto audit = run.Check(run.File());
  INFO(Why(audit));
  CHECK(audit.holds);
  CHECK(audit.run == "run-1");
  CHECK(audit.status == "finished");
  CHECK(ResultsOf(audit) == std::vector<std::string>{"begin holds", "round holds", "round holds", "end holds"});
  CHECK(audit.entries[1].clusters == std::vector<std::string>{"a", "b"});
  CHECK(audit.entries[3].model == run.federation.registered->digest);
}

TEST_CASE("the record of a run under way holds, and says so") {
  test::RecordedRun run(Small());
  run.Play();
  auto entries = run.federation.entries;
  entries.pop_back();
  const auto audit = run.Check(run.File(entries));
  CHECK(audit.holds);
  CHECK(audit.status == "running");
}

TEST_CASE("any bit flipped in a record is found, and the first entry that does not hold is named") {
  test::RecordedRun run(Small(1));
  run.Play();
  const Bytes file = run.File();
  const auto frames = test::FramesOf(file);
  std::vector<std::size_t> entry_of;  // each byte's
  entry_of.assign(record::kMagic.size(), 0);
  for (std::size_t i = 0; i < frames.size(); ++i) entry_of.insert(entry_of.end(), frames[i].size(), i);
  REQUIRE(entry_of.size() == file.size());
  std::size_t missed = 0;
  for (std::size_t at = 0; at < file.size(); ++at) {
    // All bits of the first and last bytes of the frames, one of every other byte.
    Bytes bent = file;
    bent[at] = static_cast<std::uint8_t>(bent[at] ^ (1U << (at % 8)));
    const auto audit = run.Check(bent);
    const bool named = !audit.holds && audit.broken && audit.entries.size() <= entry_of[at];
    const bool seal = entry_of[at] + 1 == frames.size();
    const std::string place = "entry " + std::to_string(entry_of[at]);
    const bool right = at < record::kMagic.size() || seal || (named && audit.broken->message.find(place) == 0);
    if (!named || !right) {
      ++missed;
      INFO("byte " << at << " of entry " << entry_of[at] << ": " << Why(audit));
      CHECK(false);
    }
    if (missed > 5) break;
  }
  CHECK(missed == 0);
}

TEST_CASE("a record that is cut short anywhere is found") {
  test::RecordedRun run(Small(1));
  run.Play();
  const Bytes file = run.File();
  for (std::size_t size = 0; size < file.size(); ++size) {
    if (run.Check(ByteView(file).first(size)).holds) FAIL("cut to " << size << " bytes");
  }
  Bytes longer = file;
  longer.push_back(0);
  CHECK_FALSE(run.Check(longer).holds);
}

TEST_CASE("entries that are left out, swapped, repeated or of another run are found") {
  test::RecordedRun run(Small(3));
  run.Play();
  const auto frames = test::FramesOf(run.File());
  REQUIRE(frames.size() == 6);
  for (std::size_t i = 0; i + 1 < frames.size(); ++i) {
    INFO("entry " << i);
    auto fewer = frames;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
    CHECK_FALSE(run.Check(test::FileOf(fewer)).holds);
    auto more = frames;
    more.insert(more.begin() + static_cast<std::ptrdiff_t>(i), frames[i]);
    const auto repeated = run.Check(test::FileOf(more));
    CheckBroken(repeated, static_cast<std::int64_t>(i) + 1, "");
    if (i + 2 < frames.size()) {
      auto swapped = frames;
      std::swap(swapped[i], swapped[i + 1]);
      CheckBroken(run.Check(test::FileOf(swapped)), static_cast<std::int64_t>(i), "");
    }
  }
  // The same root, another run.
  auto mixed = frames;
  mixed[2] = test::FramesOf(run.File(run.federation.entries, "run-2"))[2];
  CheckBroken(run.Check(test::FileOf(mixed)), 2, "another run");
  // A seal of an earlier time after later entries, and the other way.
  auto shorter = run.federation.entries;
  shorter.pop_back();
  auto early = frames;
  early.back() = test::FramesOf(run.File(shorter)).back();
  CHECK_FALSE(run.Check(test::FileOf(early)).holds);
}

TEST_CASE("a record of another authority, or signed by one that is not its root, does not hold") {
  test::RecordedRun run(Small(1));
  run.Play();
  const Bytes file = run.File();
  const auto other = record::AuditFile(file, crypto::FingerprintOf(test::KeyOf(77).Public()), nullptr);
  REQUIRE(other);
  CheckBroken(*other, 0, "another authority");
  run.root = test::MakeParty(run.authority, "a", 10);
  CheckBroken(run.Check(run.File()), 0, "not the root");
  // A root that its own authority made up.
  const auto impostor = test::KeyOf(78);
  run.root = test::MakeParty(impostor, "hq", 2, crypto::Role::kRoot);
  CheckBroken(run.Check(run.File()), 0, "signature");
}

TEST_CASE("a root cannot say of a site what the site has not signed") {
  test::RecordedRun run(Small(2));
  run.Play();
  const auto& honest = run.federation.entries;
  REQUIRE(honest[1].round);
  const auto changed = [&](const std::function<void(api::RecordRound&)>& change) {
    auto entries = honest;
    change(*entries[1].round);
    return run.Check(run.File(entries));
  };
  CheckBroken(changed([](auto& r) { r.sites[0].digest = r.sites[1].digest; }), 1, "another update");
  CheckBroken(changed([](auto& r) { r.sites[0].examples = r.sites[0].weight = 29; }), 1, "number of examples");
  CheckBroken(changed([](auto& r) { r.sites[0].steps += 1; }), 1, "number of steps");
  CheckBroken(changed([](auto& r) { r.sites[0].size += 4; }), 1, "another size");
  CheckBroken(changed([](auto& r) { r.sites[0].name = "aa"; }), 1, "another cluster");
  CheckBroken(changed([](auto& r) { r.sites[0].signature[3] ^= 1; }), 1, "signature");
  CheckBroken(changed([](auto& r) { r.sites[0].statement.clear(); }), 1, "no statement");
  CheckBroken(changed([](auto& r) { r.sites[0].certificate = r.sites[1].certificate; }), 1, "certificate");
  // The statement of another round.
  CheckBroken(changed([&](auto& r) { r.sites[0] = honest[2].round->sites[0]; }), 1, "answered for round 2");
}

TEST_CASE("an entry that does not follow from those before it is found, though the root signed it") {
  test::RecordedRun run(Small(2));
  run.Play();
  const auto& honest = run.federation.entries;
  const auto changed = [&](std::size_t entry, const std::function<void(api::RecordEntry&)>& change) {
    auto entries = honest;
    change(entries[entry]);
    return run.Check(run.File(entries));
  };
  CheckBroken(changed(2, [&](auto& e) { e.round->model_before = honest[1].round->model_before; }), 2, "begin with");
  CheckBroken(changed(2, [](auto& e) { e.round->state_before = "blake2b:1"; }), 2, "remembered");
  CheckBroken(changed(2, [](auto& e) { e.round->round = 3; }), 2, "round 2 was expected");
  CheckBroken(changed(1, [](auto& e) { e.round->sites.pop_back(); }), 1, "needs 2");
  CheckBroken(changed(1, [](auto& e) { std::swap(e.round->sites[0], e.round->sites[1]); }), 1, "order");
  CheckBroken(changed(1, [](auto& e) { e.round->sites[0].weight += 1; }), 1, "weight of a");
  CheckBroken(changed(1, [](auto& e) { e.round->left_out = {"a"}; }), 1, "left out");
  CheckBroken(changed(1, [](auto& e) { e.round->capacity = 10; }), 1, "could not hold");
  CheckBroken(changed(1, [](auto& e) { e.round->pool_rows = 10; }), 1, "fewer rows");
  CheckBroken(changed(1, [](auto& e) { e.round->sum = "blake2b:1"; }), 1, "sum");
  CheckBroken(changed(1, [](auto& e) { e.end = api::RecordEnd(); }), 1, "kind");
  CheckBroken(changed(3, [&](auto& e) { e.end->model = honest[1].round->model; }), 3, "model");
  CheckBroken(changed(3, [](auto& e) { e.end->rounds = 7; }), 3, "7 rounds");
  CheckBroken(changed(3, [](auto& e) { e.end->status = api::RunStatus::kPaused; }), 3, "goes on");
  auto again = honest;
  again.push_back(honest.back());
  CheckBroken(run.Check(run.File(again)), 4, "after the end");
}

TEST_CASE("a run that was killed, failed or taken up again leaves one record that holds") {
  test::RecordedRun whole(Small(4));
  whole.Play();
  test::RecordedRun run(Small(4));
  // Entries count when the state is saved that they tell of: here each kill comes after a whole step.
  REQUIRE(run.federation.Start());
  for (int i = 0; run.federation.Alive() && !run.federation.over; ++i) {
    if (!run.federation.Step()) break;
    if (i % 3 == 2) {
      run.federation.Kill();
      REQUIRE(run.federation.Restart());
    }
  }
  const auto audit = run.Check(run.File());
  INFO(Why(audit));
  CHECK(audit.holds);
  CHECK(audit.status == "finished");
  CHECK(audit.entries.back().model == whole.federation.registered->digest);

  test::RecordedRun stopped(Small(4));
  REQUIRE(stopped.federation.Start());
  while (stopped.federation.entries.size() < 3 && stopped.federation.Step()) {
  }
  stopped.federation.Handle(federate::Cancelled{});
  CHECK(stopped.Check(stopped.File()).status == "cancelled");
  stopped.federation.Kill();
  REQUIRE(stopped.federation.Restart(federate::Resume::kYes));
  stopped.federation.Play();
  const auto resumed = stopped.Check(stopped.File());
  INFO(Why(resumed));
  CHECK(resumed.holds);
  CHECK(resumed.status == "finished");
}

TEST_CASE("a record holds over a change of the authority, under the old one and the new one") {
  test::RecordedRun run(Small(2));
  run.Play();
  const auto old = crypto::FingerprintOf(run.authority.Public());
  record::Head head;
  head.run = "run-1";
  std::vector<Bytes> frames;
  for (const auto& entry : run.federation.entries) {
    if (frames.size() == 2) run.ChangeAuthority(40);
    frames.push_back(record::Append(head, entry, run.Signs()));
  }
  run.ChangeAuthority(41);  // after the end: the seal tells of it
  frames.push_back(record::Seal(head, run.Signs()));
  const Bytes file = test::FileOf(frames);
  for (const std::uint8_t seed : {std::uint8_t{40}, std::uint8_t{41}}) {
    const auto audit = record::AuditFile(file, crypto::FingerprintOf(test::KeyOf(seed).Public()), nullptr);
    REQUIRE(audit);
    INFO(Why(*audit));
    CHECK(audit->holds);
  }
  CHECK(record::AuditFile(file, old, nullptr)->holds);
  CHECK_FALSE(record::AuditFile(file, crypto::FingerprintOf(test::KeyOf(42).Public()), nullptr)->holds);
  // A change that nobody has signed.
  frames.back() = record::Seal(head, {run.root.key, run.root.certificate, run.authority_key, {}});
  CHECK_FALSE(record::AuditFile(test::FileOf(frames), old, nullptr)->holds);
}
