#include "agent/transfer.h"

#include <catch2/catch.hpp>
#include <deque>
#include <filesystem>

#include "core/base/ids.h"
#include "crypto/digest.h"
#include "test/fake/tree.h"

using namespace ote;
using namespace std::chrono_literals;
using agent::Transfer;
using test::Must;

namespace {

// The side that fetches, and a script in the place of the side that has it.
class Bench {
 public:
  struct Asked {
    api::ArtifactRange range;
    agent::Rpc::Continuation then;
  };

  Bench()
      : folder_{std::filesystem::temp_directory_path() / NewId("ote-transfer")},
        store_(Must(store::Store::OpenInMemory())),
        artifacts(Must(store::Artifacts::Open(folder_.path))),
        transport_(network_.MakeTransport(nullptr, nullptr)),
        rpc_(&*transport_, &timers_, &clock),
        context_{clock, folder_, membership_, sign_, key_, store_, artifacts, *transport_, timers_, rpc_, [](auto) {}},
        transfer(context_) {}
  ~Bench() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_.path, ignored);
  }

  Transfer::Ask Ask() {
    return [this](std::string_view, Json body, std::chrono::milliseconds, agent::Rpc::Continuation then) {
      asked.push_back({Must(FromWire<api::ArtifactRange>(body)), std::move(then)});
    };
  }
  Transfer::Id Fetch(const Bytes& content, std::int64_t size) {
    const auto id = transfer.Fetch(Ask(), crypto::DigestOf(content).ToString(), size, Durability::kSynced,
                                   [this](Result<void> result) { results.push_back(std::move(result)); });
    Run();
    return id;
  }
  Transfer::Id Fetch(const Bytes& content) { return Fetch(content, std::ssize(content)); }
  void Run() { timers_.RunDue(clock.SteadyNow()); }

  Asked Next() {
    REQUIRE_FALSE(asked.empty());
    auto next = std::move(asked.front());
    asked.pop_front();
    return next;
  }
  static wire::Envelope Piece(const Bytes& content, const api::ArtifactRange& range) {
    wire::Envelope envelope;
    envelope.kind = wire::MessageKind::kReply;
    envelope.body = ToJson(api::ArtifactChunk{range.digest, range.offset, std::ssize(content)});
    const auto begin = content.begin() + range.offset;
    envelope.blob = wire::Blob(Bytes(begin, begin + std::min(range.length, std::ssize(content) - range.offset)));
    return envelope;
  }
  // Answers what is asked, in order, until nothing is.
  void Serve(const Bytes& content) {
    while (!asked.empty()) {
      auto next = Next();
      next.then(Piece(content, next.range));
    }
  }

 private:
  store::StateFolder folder_;
  crypto::SigningKey sign_ = crypto::SigningKey::Generate();
  crypto::TransportKey key_ = crypto::TransportKey::Generate();
  store::Membership membership_;
  store::Store store_;

 public:
  FakeClock clock;
  store::Artifacts artifacts;

 private:
  wire::MemoryNetwork network_;
  std::unique_ptr<wire::Transport> transport_;
  agent::Timers timers_;
  agent::Rpc rpc_;
  agent::Context context_;

 public:
  Transfer transfer;
  std::deque<Asked> asked;
  std::vector<Result<void>> results;
};

Bytes Content(std::size_t size, std::uint8_t seed = 1) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>((i * 31 + i / 255 + seed) & 0xff);
  return bytes;
}

constexpr std::size_t kBig = 3 * Transfer::kPiece + 100;  // four pieces

}  // namespace

TEST_CASE("an artifact arrives in pieces, two asked for at a time, and is whole") {
  Bench bench;
  const auto content = Content(kBig);
  bench.Fetch(content);
  CHECK(bench.asked.size() == 2);
  bench.Serve(content);
  REQUIRE(bench.results.size() == 1);
  CHECK(bench.results[0].has_value());
  CHECK(Must(bench.artifacts.Get(crypto::DigestOf(content))) == content);
  CHECK(bench.transfer.BytesReceived() == std::ssize(content));
}

TEST_CASE("pieces may arrive out of order") {
  Bench bench;
  const auto content = Content(kBig);
  bench.Fetch(content);
  auto first = bench.Next();
  auto second = bench.Next();
  second.then(Bench::Piece(content, second.range));
  CHECK(bench.asked.empty());  // no more than two are held
  first.then(Bench::Piece(content, first.range));
  bench.Serve(content);
  REQUIRE(bench.results.size() == 1);
  CHECK(bench.results[0].has_value());
  CHECK(bench.artifacts.Has(crypto::DigestOf(content)));
}

TEST_CASE("what is here already is not asked for") {
  Bench bench;
  const auto content = Content(1000);
  Must(bench.artifacts.Put(content));
  bench.Fetch(content);
  CHECK(bench.asked.empty());
  REQUIRE(bench.results.size() == 1);
  CHECK(bench.results[0].has_value());
}

TEST_CASE("bytes of another digest are refused and leave nothing") {
  Bench bench;
  const auto content = Content(1000);
  bench.Fetch(content);
  bench.Serve(Content(1000, 7));
  REQUIRE(bench.results.size() == 1);
  CHECK(bench.results[0].error().id == ErrorId::kUpdateDigest);
  CHECK_FALSE(bench.artifacts.Has(crypto::DigestOf(content)));
  bench.Fetch(content);
  bench.Serve(content);
  CHECK(bench.results.back().has_value());
}

TEST_CASE("a peer that sends other bytes than were asked for is refused") {
  const auto content = Content(1000);
  const auto lies = std::vector<std::function<void(wire::Envelope&)>>{
      [](auto& e) { e.body["size"] = 5000; },
      [](auto& e) { e.body["offset"] = 4; },
      [](auto& e) { e.body["digest"] = crypto::DigestOf(Content(5)).ToString(); },
      [](auto& e) { e.blob = wire::Blob(Content(1001)); },
      [](auto& e) { e.blob = wire::Blob(Content(999)); },
      [](auto& e) { e.blob = {}; },
      [](auto& e) { e.body = Json::array(); },
  };
  for (const auto& lie : lies) {
    Bench bench;
    bench.Fetch(content);
    auto next = bench.Next();
    auto piece = Bench::Piece(content, next.range);
    lie(piece);
    next.then(std::move(piece));
    REQUIRE(bench.results.size() == 1);
    CHECK(bench.results[0].error().id == ErrorId::kUpdateDigest);
  }
}

TEST_CASE("a fetch that was cut off goes on where it was") {
  Bench bench;
  const auto content = Content(kBig);
  bench.Fetch(content);
  auto first = bench.Next();
  first.then(Bench::Piece(content, first.range));
  bench.Next().then(Fail(ErrorId::kUnreachable, "gone"));
  REQUIRE(bench.results.size() == 1);
  CHECK(bench.results[0].error().id == ErrorId::kUnreachable);
  bench.asked.clear();
  bench.Fetch(content);
  REQUIRE_FALSE(bench.asked.empty());
  CHECK(bench.asked.front().range.offset == Transfer::kPiece);
  bench.Serve(content);
  CHECK(bench.results.back().has_value());
}

TEST_CASE("a bad beginning from an earlier time is not held against the one who sends the rest") {
  Bench bench;
  const auto content = Content(kBig);
  bench.Fetch(content);
  auto first = bench.Next();
  first.then(Bench::Piece(Content(kBig, 9), first.range));
  bench.Next().then(Fail(ErrorId::kUnreachable, "gone"));
  bench.asked.clear();
  bench.Fetch(content);
  bench.Serve(content);
  bench.Run();
  bench.Serve(content);
  REQUIRE(bench.results.size() == 2);
  CHECK(bench.results[1].has_value());
  CHECK(bench.artifacts.Has(crypto::DigestOf(content)));
}

TEST_CASE("a piece that is not answered is asked for again, but not for ever") {
  Bench bench;
  const auto content = Content(100);
  bench.Fetch(content);
  for (int i = 0; i < Transfer::kTries; ++i) {
    CHECK(bench.results.empty());
    bench.Next().then(Fail(ErrorId::kTimedOut, "no answer"));
    bench.Run();
  }
  REQUIRE(bench.results.size() == 1);
  CHECK(bench.results[0].error().id == ErrorId::kTimedOut);
  CHECK(bench.asked.empty());
}

TEST_CASE("a slow line gets smaller pieces") {
  Bench bench;
  const auto content = Content(kBig);
  bench.Fetch(content);
  bench.Next().then(Fail(ErrorId::kTimedOut, "no answer"));
  bench.asked.pop_front();  // the other one of the first two, late
  REQUIRE(bench.asked.size() == 2);
  CHECK(bench.asked.front().range.offset == 0);
  CHECK(bench.asked.front().range.length == Transfer::kPiece / 2);
  bench.Serve(content);
  REQUIRE(bench.results.size() == 1);
  CHECK(bench.results[0].has_value());
  CHECK(bench.artifacts.Has(crypto::DigestOf(content)));
}

TEST_CASE("a busy peer is asked again after a pause") {
  Bench bench;
  const auto content = Content(100);
  bench.Fetch(content);
  bench.Next().then(Fail(ErrorId::kBusy, "too much"));
  bench.Run();
  CHECK(bench.asked.empty());
  bench.clock.Advance(Transfer::kBusyPause);
  bench.Run();
  bench.Serve(content);
  REQUIRE(bench.results.size() == 1);
  CHECK(bench.results[0].has_value());
}

TEST_CASE("a cancelled fetch says nothing, and late answers change nothing") {
  Bench bench;
  const auto content = Content(kBig);
  const auto id = bench.Fetch(content);
  auto first = bench.Next();
  bench.transfer.Cancel(id);
  first.then(Bench::Piece(content, first.range));
  bench.Run();
  CHECK(bench.results.empty());
}

TEST_CASE("two who want the same digest are served by one fetch, and rubbish for one does not spoil the other") {
  Bench bench;
  const auto content = Content(1000);
  bench.Fetch(content);
  bench.Fetch(content);
  CHECK(bench.asked.size() == 1);
  bench.Serve(Content(1000, 3));
  REQUIRE(bench.results.size() == 1);
  CHECK_FALSE(bench.results[0].has_value());
  bench.Run();
  bench.Serve(content);
  REQUIRE(bench.results.size() == 2);
  CHECK(bench.results[1].has_value());
}

TEST_CASE("a member may fetch what it was granted, and nothing else") {
  test::Tree tree;
  tree.Join("clinic-a");
  const auto content = Content(500);
  Must(Must(store::Artifacts::Open(tree.Folder("hq").ArtifactFolder())).Put(content));
  auto member = tree.OpenClient({test::Tree::kRootEndpoint, Must(tree.Folder("hq").TransportKey()).Public()},
                                Must(tree.Folder("clinic-a").TransportKey()));
  const api::ArtifactRange range{crypto::DigestOf(content).ToString(), 0, 1000};
  const auto refused = member.Call(api::verb::kArtifactGet, ToJson(range), 5s);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().id == ErrorId::kPermission);
  // The operator may fetch all of it, and pieces beyond its end are refused.
  auto operator_client = tree.Operator("hq");
  const auto answer = Must(operator_client.Call(api::verb::kArtifactGet, ToJson(range), 5s));
  CHECK(std::ranges::equal(answer.blob.View(), content));
  for (const auto& bad : {api::ArtifactRange{range.digest, 500, 10}, api::ArtifactRange{range.digest, -1, 10},
                          api::ArtifactRange{range.digest, 0, 0}}) {
    const auto beyond = operator_client.Call(api::verb::kArtifactGet, ToJson(bad), 5s);
    REQUIRE_FALSE(beyond.has_value());
    CHECK(beyond.error().id == ErrorId::kMalformed);
  }
}
