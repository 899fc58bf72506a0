// What is written once into a record stays as it was written.
#include "agent/record_keeper.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "core/record/entry.h"
#include "test/fake/tree.h"

using namespace ote;
using test::Must;

namespace {

api::RecordEntry BeginOf() {
  api::RecordEntry entry;
  entry.begin = api::RecordBegin{};
  entry.begin->spec.record.updates = api::KeepUpdates::kKeep;
  entry.begin->model = "blake2b:0";
  return entry;
}

api::RecordEntry RoundOf(std::int64_t round, const std::string& model) {
  api::RecordEntry entry;
  entry.kind = api::EntryKind::kRound;
  entry.round = api::RecordRound{};
  entry.round->round = round;
  entry.round->model = model;
  return entry;
}

// The root of a tree whose agent stands still, and a store of its own.
struct Root {
  test::Tree tree;
  store::StateFolder folder = tree.Folder("hq");
  store::Membership membership = Must(folder.LoadMembership());
  store::Store store = Must(store::Store::OpenInMemory());
  store::Artifacts artifacts = Must(store::Artifacts::Open(tree.scratch() / "artifacts"));
  std::unique_ptr<wire::Transport> transport = tree.network.MakeTransport(nullptr, nullptr);
  agent::Timers timers;
  agent::Rpc rpc{transport.get(), &timers, &tree.clock};
  crypto::SigningKey sign = Must(folder.SignKey());
  crypto::TransportKey link = Must(folder.TransportKey());
  agent::Context context{tree.clock, folder, membership, sign, link, store, artifacts, *transport, timers, rpc, {}};

  Result<void> Write(std::vector<api::RecordEntry> entries) {
    return store.Transaction([&] { return agent::WriteEntries(context, "run-1", std::move(entries)); });
  }
  std::size_t Entries() { return Must(store.ListDocs("record-entry")).size(); }
};

}  // namespace

TEST_CASE("a round that is entered twice stands once, and another one in its place is refused") {
  Root root;
  Must(root.Write({BeginOf(), RoundOf(1, "blake2b:1")}));
  Must(root.Write({RoundOf(2, "blake2b:2")}));
  REQUIRE(root.Entries() == 3);
  Must(root.Write({RoundOf(2, "blake2b:2")}));
  Must(root.Write({RoundOf(1, "blake2b:1")}));
  CHECK(root.Entries() == 3);
  const auto other = root.Write({RoundOf(2, "blake2b:3")});
  REQUIRE_FALSE(other);
  CHECK(other.error().id == ErrorId::kRecordConflict);
  CHECK(root.Entries() == 3);
  // What the run keeps is known by its digest; of an entry that was refused nothing is.
  CHECK(agent::KeptForRecord(root.store, "blake2b:0"));
  CHECK(agent::KeptForRecord(root.store, "blake2b:2"));
  CHECK_FALSE(agent::KeptForRecord(root.store, "blake2b:3"));
}

TEST_CASE("a run that began before there were records stays without one") {
  Root root;
  Must(root.Write({RoundOf(7, "blake2b:1")}));
  CHECK(root.Entries() == 0);
}
