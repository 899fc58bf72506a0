#include "agent/sealing/openings.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

#include "core/base/ids.h"
#include "test/fake/tree.h"

using namespace ote;
using namespace std::chrono_literals;
using agent::Openings;
using test::Must;

namespace {

// An agent's thread, emptied by hand, and a worker beside it. What is to be opened comes out of a pipe, so that a test
// says how far its opening has come.
class Bench {
 public:
  Bench()
      : folder_{std::filesystem::temp_directory_path() / NewId("ote-openings")},
        store_(Must(store::Store::OpenInMemory())),
        artifacts(Must(store::Artifacts::Open(folder_.path))),
        transport_(network_.MakeTransport(nullptr, nullptr)),
        rpc_(&*transport_, &timers_, &clock_),
        context_{clock_, folder_, membership_, sign_, key_, store_, artifacts, *transport_, timers_, rpc_, [](auto) {}},
        worker_([this](std::function<void()> fn) {
          const std::lock_guard lock(mutex_);
          posted_.push_back(std::move(fn));
          wake_.notify_all();
        }),
        openings(context_, worker_, [this](const std::string& digest) { return needed.contains(digest); }) {}
  ~Bench() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_.path, ignored);
  }

  // Something sealed, and the end of the pipe that it is to be written to.
  struct Sealed {
    Bytes plain;
    Bytes stream;
    std::string digest;
    std::string name;
    Descriptor in;
    Descriptor out;  // also when nobody reads any more
    Result<store::Opening> opening;
    void Write(std::size_t from, std::size_t to) const {
      REQUIRE(::write(in.get(), stream.data() + from, to - from) == static_cast<ssize_t>(to - from));
    }
  };
  Sealed Make(std::uint8_t fill) {
    Bytes plain(3 * crypto::kSealedChunk / 2, fill);
    Bytes stream = Must(crypto::Seal(key_.Public(), kContext, plain));
    const auto name = Must(artifacts.Put(stream)).ToString();
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    REQUIRE(::fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) >= 0);
    auto opener = Must(crypto::Opener::For(key_, kContext, ByteView(stream).first(crypto::kSealedHeader)));
    const auto digest = crypto::DigestOf(plain).ToString();
    store::Opening opening{Descriptor(ends[0]), plain.size(), std::move(opener), name, digest};
    Descriptor out(::dup(ends[0]));
    return {std::move(plain), std::move(stream), digest, name, Descriptor(ends[1]), std::move(out), std::move(opening)};
  }
  Openings::Id Begin(Sealed& sealed) {
    return openings.Begin(std::move(sealed.opening), Durability::kBestEffort,
                          [this](Result<void> result) { results.push_back(std::move(result)); });
  }
  void RunTimers() { timers_.RunDue(clock_.SteadyNow()); }
  void RunPosted() {
    std::function<void()> fn;
    {
      std::unique_lock lock(mutex_);
      REQUIRE(wake_.wait_for(lock, 20s, [this] { return !posted_.empty(); }));
      fn = std::move(posted_.front());
      posted_.pop_front();
    }
    fn();
  }
  bool NothingHalfDone() const { return std::filesystem::is_empty(folder_.path / "partial"); }

 private:
  inline static const Bytes kContext = {4, 2};
  store::StateFolder folder_;
  crypto::SigningKey sign_ = crypto::SigningKey::Generate();
  crypto::TransportKey key_ = crypto::TransportKey::Generate();
  store::Membership membership_;
  store::Store store_;

 public:
  store::Artifacts artifacts;
  std::set<std::string> needed;
  std::vector<Result<void>> results;

 private:
  FakeClock clock_;
  wire::MemoryNetwork network_;
  std::unique_ptr<wire::Transport> transport_;
  agent::Timers timers_;
  agent::Rpc rpc_;
  agent::Context context_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> posted_;
  agent::Worker worker_;

 public:
  Openings openings;
};

constexpr std::size_t kHalf = crypto::kSealedHeader + crypto::kSealedChunk;

}  // namespace

TEST_CASE("artifacts are opened beside the agent's thread, in their order, and told of when they are there") {
  Bench bench;
  auto first = bench.Make(1);
  auto second = bench.Make(2);
  bench.Begin(first);
  bench.Begin(second);
  second.Write(crypto::kSealedHeader, second.stream.size());
  first.Write(crypto::kSealedHeader, kHalf);
  // Nothing can be said yet, and the thread that asked goes on.
  bench.RunTimers();
  CHECK(bench.results.empty());
  CHECK_FALSE(bench.artifacts.Has(first.digest));
  first.Write(kHalf, first.stream.size());
  bench.RunPosted();
  REQUIRE(bench.results.size() == 1);
  CHECK(bench.results.front());
  CHECK(Must(bench.artifacts.Get(first.digest)) == first.plain);
  CHECK_FALSE(bench.artifacts.Has(first.name));
  bench.RunPosted();
  CHECK(bench.results.size() == 2);
  CHECK(Must(bench.artifacts.Get(second.digest)) == second.plain);
}

TEST_CASE("an opening that is given up tells nothing and leaves nothing that nobody needs") {
  Bench bench;
  auto sealed = bench.Make(1);
  const auto id = bench.Begin(sealed);
  SECTION("in its midst") {
    sealed.Write(crypto::kSealedHeader, kHalf);
    bench.openings.Cancel(id);
    sealed.Write(kHalf, sealed.stream.size());
  }
  SECTION("when it is open, and nobody was told") {
    sealed.Write(crypto::kSealedHeader, sealed.stream.size());
    while (!bench.artifacts.Has(sealed.digest)) std::this_thread::yield();
    bench.openings.Cancel(id);
  }
  bench.RunPosted();
  CHECK(bench.results.empty());
  CHECK_FALSE(bench.artifacts.Has(sealed.digest));
  CHECK_FALSE(bench.artifacts.Has(sealed.name));
  CHECK(bench.NothingHalfDone());
}

TEST_CASE("what somebody else needs of an opening that is given up stays") {
  Bench bench;
  auto sealed = bench.Make(1);
  bench.needed = {sealed.name, sealed.digest};
  const auto id = bench.Begin(sealed);
  sealed.Write(crypto::kSealedHeader, sealed.stream.size());
  while (!bench.artifacts.Has(sealed.digest)) std::this_thread::yield();
  bench.openings.Cancel(id);
  bench.RunPosted();
  CHECK(bench.artifacts.Has(sealed.digest));
  CHECK(bench.artifacts.Has(sealed.name));
}

TEST_CASE("what does not open says why, soon and not at once, and its sealed copy goes") {
  Bench bench;
  auto sealed = bench.Make(1);
  SECTION("from its beginning") {
    sealed.opening = Fail(ErrorId::kSealBroken, "no stream");
    bench.Begin(sealed);
    CHECK(bench.results.empty());
    bench.RunTimers();
  }
  SECTION("in its midst") {
    sealed.stream.back() ^= 1;
    bench.Begin(sealed);
    sealed.Write(crypto::kSealedHeader, sealed.stream.size());
    bench.RunPosted();
    CHECK_FALSE(bench.artifacts.Has(sealed.name));
  }
  REQUIRE(bench.results.size() == 1);
  CHECK(bench.results.front().error().id == ErrorId::kSealBroken);
  CHECK_FALSE(bench.artifacts.Has(sealed.digest));
  CHECK(bench.NothingHalfDone());
}
