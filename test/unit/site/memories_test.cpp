// What a site keeps of a run from round to round.
#include "core/site/memories.h"

#include <catch2/catch.hpp>

#include "test/unit/store/scratch.h"

namespace ote::site {
namespace {

struct Site {
  test::Scratch scratch;
  FakeClock clock;
  store::Store store = *store::Store::OpenInMemory();
  store::Artifacts artifacts = *store::Artifacts::Open(scratch.path);
  Memories memories{clock, store, artifacts};

  static api::Task TaskOf(std::int64_t round, const std::string& run = "run-1") {
    api::Task task;
    task.run = run;
    task.round = round;
    return task;
  }
  void Answer(const api::Task& task, const federate::SiteMemory& memory) {
    federate::SiteAnswer made;
    made.memory = memory;
    REQUIRE(store.Transaction([&] { return memories.Put(task, made); }));
    memories.Sweep();
  }
  void Answer(std::int64_t round, const Bytes& residual, const std::string& run = "run-1") {
    federate::SiteMemory memory;
    memory.residual = residual;
    Answer(TaskOf(round, run), memory);
  }
  Bytes Residual(std::int64_t round) { return memories.Load(TaskOf(round)).residual; }
  std::size_t Files() const { return artifacts.List()->size(); }
};

TEST_CASE("what an update left out is there for the next round") {
  Site site;
  CHECK(site.Residual(1).empty());
  site.Answer(1, {1, 2, 3, 4});
  CHECK(site.Residual(2) == Bytes{1, 2, 3, 4});
  // A site may not be drawn for a while.
  CHECK(site.Residual(9) == Bytes{1, 2, 3, 4});
}

TEST_CASE("a round that is done again finds what it found the first time") {
  Site site;
  site.Answer(1, {1, 1, 1, 1});
  CHECK(site.Residual(1).empty());
  site.Answer(4, {4, 4, 4, 4});
  CHECK(site.Residual(4) == Bytes{1, 1, 1, 1});
  CHECK(site.Residual(5) == Bytes{4, 4, 4, 4});
  // The same answer again, and another one in its place.
  site.Answer(4, {4, 4, 4, 4});
  CHECK(site.Residual(4) == Bytes{1, 1, 1, 1});
  site.Answer(4, {5, 5, 5, 5});
  CHECK(site.Residual(4) == Bytes{1, 1, 1, 1});
  CHECK(site.Residual(5) == Bytes{5, 5, 5, 5});
}

TEST_CASE("of the residuals of a run two are kept, and none when it is over") {
  Site site;
  for (std::int64_t round = 1; round < 6; ++round) {
    site.Answer(round, Bytes(4, static_cast<std::uint8_t>(round)));
    CHECK(site.Files() == static_cast<std::size_t>(std::min<std::int64_t>(round, 2)));
    CHECK(site.memories.Needed().size() == site.Files());
  }
  site.Answer(1, Bytes(4, 9), "run-2");
  REQUIRE(site.memories.Forget("run-1"));
  site.memories.Sweep();
  CHECK(site.Files() == 1);
  CHECK(site.memories.Load(Site::TaskOf(2, "run-2")).residual == Bytes(4, 9));
}

TEST_CASE("control variates and a site's own model take no step twice when a round is done again") {
  Site site;
  const auto kept = [](std::uint8_t value) {
    federate::SiteMemory memory;
    memory.control = Bytes(4, value);
    memory.personal = Bytes(8, value);
    return memory;
  };
  site.Answer(Site::TaskOf(1), kept(1));
  site.Answer(Site::TaskOf(2), kept(2));
  CHECK(site.memories.Load(Site::TaskOf(2)).control == Bytes(4, 1));
  CHECK(site.memories.Load(Site::TaskOf(2)).personal == Bytes(8, 1));
  CHECK(site.memories.Load(Site::TaskOf(3)).control == Bytes(4, 2));
  // What is measured is the model as it is.
  auto measuring = Site::TaskOf(2);
  measuring.kind = api::TaskKind::kEvaluate;
  CHECK(site.memories.Load(measuring).personal == Bytes(8, 2));

  site.Answer(Site::TaskOf(3), kept(3));
  CHECK(site.Files() == 4);
  REQUIRE(site.memories.Forget("run-1"));
  site.memories.Sweep();
  // Its own model is the site's to keep.
  CHECK(site.Files() == 1);
  CHECK(site.store.Get<api::ModelEntry>("run-1@1")->has_value());
}

TEST_CASE("a failed answer leaves what is kept as it is") {
  Site site;
  site.Answer(1, {1, 2, 3, 4});
  site.Answer(2, {});
  CHECK(site.Residual(2) == Bytes{1, 2, 3, 4});
  CHECK(site.Residual(3) == Bytes{1, 2, 3, 4});
}

}  // namespace
}  // namespace ote::site
