#include "core/tree/state_feed.h"

#include <catch2/catch.hpp>

using namespace ote;
using tree::StateFeed;
using tree::StateKey;
using tree::StateSum;
using Took = StateFeed::Took;

namespace {

constexpr std::size_t kPlenty = 1 << 20;

StateKey App(const std::string& name) { return {"app", name}; }
Bytes Value(const std::string& text) { return {text.begin(), text.end()}; }
void Set(StateFeed& feed, const std::string& name, const std::string& value) {
  REQUIRE(feed.Set(App(name), Value(value)));
}
Took Take(StateFeed& mirror, const api::SourceReport& report, std::vector<StateKey>* changed = nullptr) {
  const auto took = mirror.Apply(report, changed);
  if (!took) throw std::runtime_error(took.error().message);
  return *took;
}
// All of it, in pieces of about `most` bytes.
int Whole(const StateFeed& source, StateFeed& mirror, std::size_t most = kPlenty) {
  int pieces = 0;
  for (std::int64_t from = 0;;) {
    const auto report = source.Report("a", from, true, most);
    const auto took = Take(mirror, report);
    ++pieces;
    if (took == Took::kWhole) return pieces;
    REQUIRE(took == Took::kMore);
    from = mirror.Have();
  }
}
std::string TextOf(const StateFeed& feed, const std::string& name) {
  const auto* entry = feed.Find(App(name));
  return entry == nullptr || entry->gone ? "" : std::string(entry->value.begin(), entry->value.end());
}

}  // namespace

TEST_CASE("a mirror that is told the changes is the same as its source") {
  StateFeed source(7);
  StateFeed mirror;
  Set(source, "web", "1");
  Set(source, "db", "1");
  CHECK(Take(mirror, source.Mark("a")) == Took::kWantFull);
  Whole(source, mirror);
  CHECK(mirror.Digest() == source.Digest());
  Set(source, "web", "2");
  CHECK(source.Remove(App("db")));
  Set(source, "new", "1");
  std::vector<StateKey> changed;
  const auto report = source.Report("a", mirror.at(), false, kPlenty);
  CHECK(report.set.size() == 2);
  CHECK(report.removed.size() == 1);
  CHECK(Take(mirror, report, &changed) == Took::kWhole);
  CHECK(changed == std::vector<StateKey>{App("web"), App("new"), App("db")});
  CHECK(TextOf(mirror, "web") == "2");
  CHECK(TextOf(mirror, "db").empty());
  CHECK(mirror.size() == 2);
  // The answer to it was lost: the same again changes nothing.
  changed.clear();
  CHECK(Take(mirror, report, &changed) == Took::kWhole);
  CHECK(changed.empty());
}

TEST_CASE("the same value again is no change") {
  StateFeed source(7);
  CHECK(*source.Set(App("web"), Value("1")));
  CHECK_FALSE(*source.Set(App("web"), Value("1")));
  CHECK_FALSE(source.Remove(App("db")));
  CHECK(source.at() == 1);
}

TEST_CASE("the digest depends on what there is and not on how it came") {
  StateFeed one(1), two(2);
  for (int i = 0; i < 50; ++i) Set(one, std::to_string(i), "v" + std::to_string(i));
  for (int i = 49; i >= 0; --i) Set(two, std::to_string(i), "old");
  CHECK(one.Digest() != two.Digest());
  for (int i = 49; i >= 0; --i) Set(two, std::to_string(i), "v" + std::to_string(i));
  Set(two, "more", "1");
  CHECK(two.Remove(App("more")));
  CHECK(one.Digest() == two.Digest());
  for (int i = 0; i < 50; ++i) CHECK(one.Remove(App(std::to_string(i))));
  CHECK(one.Digest() == StateFeed(3).Digest());
  // Names and values that run into each other are not the same thing.
  StateSum left, right;
  left.Add({"app", "ab"}, Value("c"));
  right.Add({"app", "a"}, Value("bc"));
  CHECK_FALSE(left == right);
  left.Subtract({"app", "ab"}, Value("c"));
  CHECK(left == StateSum());
}

TEST_CASE("a gap is noticed, and what is missing can be told") {
  StateFeed source(7), mirror;
  Set(source, "web", "1");
  Whole(source, mirror);
  Set(source, "web", "2");
  const auto lost = source.Report("a", mirror.at(), false, kPlenty);
  Set(source, "db", "1");
  const auto later = source.Report("a", lost.to, false, kPlenty);
  CHECK(Take(mirror, later) == Took::kGap);
  CHECK(TextOf(mirror, "db").empty());
  CHECK(Take(mirror, source.Mark("a")) == Took::kGap);
  CHECK(source.Covers(7, mirror.at()));
  CHECK(Take(mirror, source.Report("a", mirror.at(), false, kPlenty)) == Took::kWhole);
  CHECK(TextOf(mirror, "web") == "2");
}

TEST_CASE("another epoch, an older number and another digest ask for all of it") {
  StateFeed source(7), mirror;
  for (int i = 0; i < 10; ++i) Set(source, "web", std::to_string(i));
  Whole(source, mirror);
  SECTION("another epoch") {
    StateFeed anew(8);
    for (int i = 0; i < 20; ++i) Set(anew, "db", std::to_string(i));
    CHECK(Take(mirror, anew.Mark("a")) == Took::kWantFull);
    CHECK(Take(mirror, anew.Report("a", 10, false, kPlenty)) == Took::kWantFull);
    std::vector<StateKey> changed;
    CHECK(Take(mirror, anew.Report("a", 0, true, kPlenty), &changed) == Took::kWhole);
    CHECK(changed == std::vector<StateKey>{App("web"), App("db")});
    CHECK(TextOf(mirror, "web").empty());
    CHECK(mirror.epoch() == 8);
  }
  SECTION("a restored edge, whose numbers went back") {
    StateFeed restored(7);
    Set(restored, "web", "old");
    CHECK(Take(mirror, restored.Mark("a")) == Took::kWantFull);
    Whole(restored, mirror);
    CHECK(TextOf(mirror, "web") == "old");
    // It goes on from there, and the mirror with it.
    Set(restored, "web", "new");
    CHECK(Take(mirror, restored.Report("a", mirror.at(), false, kPlenty)) == Took::kWhole);
    CHECK(TextOf(mirror, "web") == "new");
  }
  SECTION("a restored edge that came to the same number by another way") {
    StateFeed restored(7);
    for (int i = 0; i < 10; ++i) Set(restored, "db", std::to_string(i));
    CHECK(restored.at() == mirror.at());
    CHECK(Take(mirror, restored.Mark("a")) == Took::kWantFull);
    Set(restored, "db", "10");
    CHECK(Take(mirror, restored.Report("a", mirror.at(), false, kPlenty)) == Took::kWantFull);
    Whole(restored, mirror);
    CHECK(mirror.size() == 1);
  }
}

TEST_CASE("what is gone leaves a bounded number of graves") {
  StateFeed source(7), mirror, slow;
  Set(source, "stays", "1");
  Whole(source, slow);
  const auto behind = slow.at();
  for (std::size_t i = 0; i < 4 * StateFeed::kMostGraves; ++i) {
    Set(source, std::to_string(i), "1");
    CHECK(source.Remove(App(std::to_string(i))));
  }
  CHECK(source.size() == 1);
  CHECK(source.Keys().size() == 1 + StateFeed::kMostGraves);
  // Who stayed too far behind is told everything, others the changes.
  CHECK_FALSE(source.Covers(7, behind));
  CHECK(source.Covers(7, source.at() - 10));
  Whole(source, slow);
  CHECK(slow.Digest() == source.Digest());
  CHECK(slow.Keys().size() == 1);
  // A name that comes again is no grave any more.
  Set(source, "0", "2");
  CHECK(Take(slow, source.Report("a", slow.at(), false, kPlenty)) == Took::kWhole);
  CHECK(TextOf(slow, "0") == "2");
}

TEST_CASE("a thing that changed often while the line was cut is told once") {
  StateFeed source(7), mirror;
  for (int i = 0; i < 10; ++i) Set(source, std::to_string(i), "0");
  Whole(source, mirror);
  for (int i = 0; i < 10'000; ++i) Set(source, std::to_string(i % 10), std::to_string(i));
  CHECK(source.TakeUnsaved().size() == 10);
  const auto report = source.Report("a", mirror.at(), false, kPlenty);
  CHECK(report.set.size() == 10);
  CHECK(Take(mirror, report) == Took::kWhole);
  CHECK(mirror.Digest() == source.Digest());
}

TEST_CASE("a long report travels in pieces, and until the last one the mirror keeps what it had") {
  StateFeed source(7), mirror;
  Set(source, "old", "1");
  Whole(source, mirror);
  CHECK(source.Remove(App("old")));
  for (int i = 0; i < 100; ++i) Set(source, std::to_string(i), std::string(1000, 'x'));
  SECTION("as changes") {
    int pieces = 0;
    while (Take(mirror, source.Report("a", mirror.at(), false, 10'000)) == Took::kMore) ++pieces;
    CHECK(pieces >= 9);
  }
  SECTION("as a whole, while the source goes on") {
    const auto first = source.Report("a", 0, true, 10'000);
    CHECK(Take(mirror, first) == Took::kMore);
    CHECK(mirror.size() == 1);
    CHECK(source.Remove(App(first.set.front().name)));
    Set(source, first.set.back().name, "changed");
    for (;;) {
      const auto took = Take(mirror, source.Report("a", mirror.Have(), true, 10'000));
      if (took == Took::kWhole) break;
      REQUIRE(took == Took::kMore);
    }
    CHECK(mirror.size() == 99);
  }
  SECTION("one of its pieces is lost") {
    CHECK(Take(mirror, source.Report("a", 0, true, 10'000)) == Took::kMore);
    CHECK(Take(mirror, source.Report("a", 50, true, 10'000)) == Took::kWantFull);
    CHECK(Whole(source, mirror, 10'000) >= 9);
  }
  CHECK(mirror.Digest() == source.Digest());
}

TEST_CASE("two sources with the same names inside are two") {
  StateFeed a(1), b(2);
  std::map<std::string, StateFeed> mirrors;
  Set(a, "web", "of a");
  Set(b, "web", "of b");
  for (const auto& report : {a.Report("a", 0, true, kPlenty), b.Report("b", 0, true, kPlenty)}) {
    CHECK(Take(mirrors[report.cluster], report) == Took::kWhole);
  }
  CHECK(TextOf(mirrors["a"], "web") == "of a");
  CHECK(TextOf(mirrors["b"], "web") == "of b");
  CHECK(a.Remove(App("web")));
  CHECK(Take(mirrors["a"], a.Report("a", 1, false, kPlenty)) == Took::kWhole);
  CHECK(TextOf(mirrors["a"], "web").empty());
  CHECK(TextOf(mirrors["b"], "web") == "of b");
}

TEST_CASE("a mirror passes on what it knows with the numbers of the source") {
  StateFeed source(7), relay, root;
  Set(source, "web", "1");
  Whole(source, relay);
  Whole(relay, root);
  Set(source, "web", "2");
  Set(source, "db", "1");
  CHECK(source.Remove(App("web")));
  CHECK(Take(relay, source.Report("a", 1, false, kPlenty)) == Took::kWhole);
  CHECK(Take(root, relay.Report("a", 1, false, kPlenty)) == Took::kWhole);
  CHECK(root.at() == source.at());
  CHECK(root.Digest() == source.Digest());
  // The root may be told by the source itself from now on.
  Set(source, "db", "2");
  CHECK(Take(root, source.Report("a", root.at(), false, kPlenty)) == Took::kWhole);
}

TEST_CASE("a feed that was kept on disk goes on where it was") {
  StateFeed source(7), mirror;
  for (int i = 0; i < 20; ++i) Set(source, std::to_string(i), "1");
  for (int i = 0; i < 5; ++i) CHECK(source.Remove(App(std::to_string(i))));
  Whole(source, mirror);
  CHECK(source.TakeUnsaved().size() == 20);
  StateFeed again;
  again.Load(source.epoch(), source.at(), source.floor());
  for (const auto& key : source.Keys()) again.Load(key, *source.Find(key));
  CHECK(again.TakeUnsaved().empty());
  CHECK(again.Digest() == source.Digest());
  Set(again, "9", "2");
  CHECK(again.TakeUnsaved() == std::set<StateKey>{App("9")});
  CHECK(Take(mirror, again.Report("a", mirror.at(), false, kPlenty)) == Took::kWhole);
}

TEST_CASE("what no source would say is refused, and changes nothing") {
  StateFeed mirror;
  StateFeed source(7);
  Set(source, "web", "1");
  Whole(source, mirror);
  const auto before = mirror.Digest();
  Set(source, "db", "2");
  const auto good = source.Report("a", 1, false, kPlenty);
  const auto refused = [&](auto change) {
    auto report = good;
    change(report);
    const auto took = mirror.Apply(report, nullptr);
    return !took && mirror.Digest() == before && mirror.at() == 1;
  };
  CHECK(refused([](auto& r) { r.from = -1; }));
  CHECK(refused([](auto& r) { r.to = 0; }));
  CHECK(refused([](auto& r) { r.set[0].seq = 3; }));
  CHECK(refused([](auto& r) { r.set[0].seq = 1; }));
  CHECK(refused([](auto& r) { r.set[0].kind = ""; }));
  CHECK(refused([](auto& r) { r.set[0].name = "a\nb"; }));
  CHECK(refused([](auto& r) { r.set[0].name = std::string(301, 'x'); }));
  CHECK(refused([](auto& r) { r.set[0].value.resize(StateFeed::kMostValue + 1); }));
  CHECK(refused([](auto& r) { r.set.push_back(r.set[0]); }));
  CHECK(refused([](auto& r) { r.removed.push_back({"app", "x", r.set[0].seq}); }));
  CHECK(Take(mirror, good) == Took::kWhole);
}

TEST_CASE("a source has a bounded number of things") {
  StateFeed source(7);
  for (std::size_t i = 0; i < StateFeed::kMostThings; ++i) Set(source, std::to_string(i), "1");
  const auto more = source.Set(App("more"), Value("1"));
  REQUIRE_FALSE(more);
  CHECK(more.error().id == ErrorId::kBusy);
  Set(source, "0", "2");
  CHECK_FALSE(source.Set(App("0"), Bytes(StateFeed::kMostValue + 1)));
  StateFeed mirror;
  Whole(source, mirror);
  CHECK(mirror.size() == StateFeed::kMostThings);
}
