#include "core/store/store.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "core/base/files.h"
#include "test/unit/store/scratch.h"

namespace fs = std::filesystem;
using ote::AsBytes;
using ote::Bytes;
using ote::ErrorId;
using ote::Fail;
using ote::Json;
using ote::Result;
using ote::store::Store;
using ote::test::Scratch;
using ote::test::SmallDisk;

namespace {

struct Thing {
  static constexpr std::string_view kKind = "thing";
  std::string name;
  std::int64_t count = 0;

  std::string Key() const { return name; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("name", self.name, ote::kRequired);
    v("count", self.count);
  }
  friend bool operator==(const Thing&, const Thing&) = default;
};

struct Other {
  static constexpr std::string_view kKind = "other";
  std::string id;
  std::string Key() const { return id; }
  template <class Self, class V>
  static void Fields(Self& self, V&& v) {
    v("id", self.id, ote::kRequired);
  }
};

Store Open(const fs::path& file) {
  auto store = Store::Open(file);
  if (!store) FAIL(store.error().message);
  return std::move(*store);
}
Store InMemory() { return std::move(Store::OpenInMemory().value()); }

// Works on the file behind the store's back.
void Sql(const fs::path& file, const char* sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
  CHECK(sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

}  // namespace

TEST_CASE("a resource is written, written over, listed in order and removed") {
  Store store = InMemory();
  CHECK_FALSE(store.Get<Thing>("a").value().has_value());
  REQUIRE(store.Put(Thing{"b", 1}).has_value());
  REQUIRE(store.Put(Thing{"a", 2}).has_value());
  REQUIRE(store.Put(Thing{"b", 3}).has_value());
  REQUIRE(store.Put(Other{"a"}).has_value());
  CHECK(store.Get<Thing>("b").value() == Thing{"b", 3});
  CHECK(store.List<Thing>().value() == std::vector<Thing>{{"a", 2}, {"b", 3}});
  CHECK(store.Remove<Thing>("a").value());
  CHECK_FALSE(store.Remove<Thing>("a").value());
  CHECK(store.List<Thing>().value() == std::vector<Thing>{{"b", 3}});
  CHECK(store.Get<Other>("a").value().has_value());
}

TEST_CASE("documents of any bytes and keys of any characters come back as they were") {
  Store store = InMemory();
  const std::string key("a\0'\"b", 5);
  REQUIRE(store.PutDoc("k", key, {}).has_value());
  CHECK(store.GetDoc("k", key).value() == Bytes());
  REQUIRE(store.PutDoc("k", "", Bytes{0, 1, 255}).has_value());
  CHECK(store.GetDoc("k", "").value() == Bytes{0, 1, 255});
  CHECK(store.ListDocs("k").value().size() == 2);
}

TEST_CASE("what was written is there after the file is opened again") {
  const Scratch scratch;
  const fs::path file = scratch.path / "ote.db";
  {
    Store store = Open(file);
    REQUIRE(store.Put(Thing{"a", 7}).has_value());
    CHECK(store.Append("run", 5, Json{{"n", 1}}).value() == 1);
    CHECK(store.NextNumber("serial").value() == 1);
    struct stat info {};
    for (const char* suffix : {"", "-wal", "-shm"}) {
      REQUIRE(::stat((file.string() + suffix).c_str(), &info) == 0);
      CHECK((info.st_mode & 0777) == 0600);
    }
  }
  Store store = Open(file);
  CHECK(store.Get<Thing>("a").value() == Thing{"a", 7});
  CHECK(store.ReadJournal("run", 0, 10).value().at(0).doc == Json{{"n", 1}});
  CHECK(store.NextNumber("serial").value() == 2);
}

TEST_CASE("what was committed survives a process that is killed") {
  const Scratch scratch;
  Store store = Open(scratch.path / "ote.db");
  REQUIRE(store.Put(Thing{"a", 7}).has_value());
  // The files as a kill leaves them: the log was not folded into the database.
  fs::create_directories(scratch.path / "copy");
  for (const char* name : {"ote.db", "ote.db-wal"}) fs::copy_file(scratch.path / name, scratch.path / "copy" / name);
  CHECK(Open(scratch.path / "copy" / "ote.db").Get<Thing>("a").value() == Thing{"a", 7});
}

TEST_CASE("a transaction is kept whole or not at all") {
  Store store = InMemory();
  REQUIRE(store
              .Transaction([&]() -> Result<void> {
                OTE_CHECK(store.Put(Thing{"a", 1}));
                return store.Put(Thing{"b", 1});
              })
              .has_value());
  const auto failed = store.Transaction([&]() -> Result<void> {
    OTE_CHECK(store.Put(Thing{"c", 1}));
    OTE_CHECK(store.Remove<Thing>("a"));
    OTE_CHECK(store.NextNumber("n"));
    return Fail(ErrorId::kConflict, "no");
  });
  CHECK(failed.error().id == ErrorId::kConflict);
  const auto thrown = store.Transaction([&]() -> Result<void> {
    OTE_CHECK(store.Put(Thing{"d", 1}));
    throw std::runtime_error("a bug");
  });
  CHECK(thrown.error().id == ErrorId::kInternal);
  CHECK(store.List<Thing>().value() == std::vector<Thing>{{"a", 1}, {"b", 1}});
  CHECK(store.NextNumber("n").value() == 1);
}

TEST_CASE("a transaction within another is a part of it") {
  Store store = InMemory();
  const auto put = [&](const char* name) { return store.Put(Thing{name, 1}); };
  REQUIRE(store
              .Transaction([&]() -> Result<void> {
                OTE_CHECK(put("a"));
                OTE_CHECK(store.Transaction([&] { return put("b"); }));
                return put("c");
              })
              .has_value());
  CHECK(store.List<Thing>().value().size() == 3);
  // The inner failure counts even where the outer one looks away from it.
  const auto failed = store.Transaction([&]() -> Result<void> {
    OTE_CHECK(put("d"));
    (void)store.Transaction([&]() -> Result<void> { return Fail(ErrorId::kConflict, "no"); });
    CHECK(put("e").error().id == ErrorId::kConflict);
    return {};
  });
  CHECK(failed.error().id == ErrorId::kConflict);
  CHECK(store.List<Thing>().value().size() == 3);
  REQUIRE(put("f").has_value());
}

TEST_CASE("a journal is read from a number on, and trimmed to its newest entries") {
  Store store = InMemory();
  for (int i = 1; i <= 5; ++i) {
    REQUIRE(store.Append("a", 10 * i, Json{{"i", i}}).has_value());
    REQUIRE(store.Append("b", 0, Json(i)).has_value());
  }
  const auto all = store.ReadJournal("a", 0, 100).value();
  REQUIRE(all.size() == 5);
  CHECK(all[2].at == 30);
  CHECK(all[2].doc == Json{{"i", 3}});
  CHECK(all[0].seq < all[1].seq);
  const auto some = store.ReadJournal("a", all[1].seq, 2).value();
  REQUIRE(some.size() == 2);
  CHECK(some[0].seq == all[2].seq);
  CHECK(store.ReadJournal("a", 0, 0).value().empty());
  CHECK(store.ReadJournal("none", 0, 10).value().empty());
  REQUIRE(store.TrimJournal("a", 2).has_value());
  const auto kept = store.ReadJournal("a", 0, 100).value();
  REQUIRE(kept.size() == 2);
  CHECK(kept[0].seq == all[3].seq);
  REQUIRE(store.TrimJournal("a", 7).has_value());
  CHECK(store.ReadJournal("a", 0, 100).value().size() == 2);
  CHECK(store.ReadJournal("b", 0, 100).value().size() == 5);
}

TEST_CASE("a journal's numbers are not given again after it is trimmed") {
  const Scratch scratch;
  std::int64_t last = 0;
  {
    Store store = Open(scratch.path / "ote.db");
    for (int i = 0; i < 3; ++i) last = store.Append("a", 0, Json(i)).value();
    REQUIRE(store.TrimJournal("a", 0).has_value());
  }
  CHECK(Open(scratch.path / "ote.db").Append("a", 0, Json(1)).value() == last + 1);
}

TEST_CASE("a database of a newer ote is left alone") {
  const Scratch scratch;
  const fs::path file = scratch.path / "ote.db";
  Open(file);
  Sql(file, "UPDATE schema SET version = 99");
  const auto refused = Store::Open(file);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().id == ErrorId::kStoreNewer);
}

TEST_CASE("a damaged database is told as such, and never taken for a new one") {
  const Scratch scratch;
  const fs::path file = scratch.path / "ote.db";
  {
    Store store = Open(file);
    for (int i = 0; i < 200; ++i) REQUIRE(store.PutDoc("k", std::to_string(i), Bytes(500, 7)).has_value());
  }
  const auto size = fs::file_size(file);
  const auto refused = [&] {
    const auto opened = Store::Open(file);
    REQUIRE_FALSE(opened.has_value());
    return opened.error().id;
  };
  SECTION("cut in the middle") {
    fs::resize_file(file, size / 2 / 4096 * 4096);
    CHECK(refused() == ErrorId::kStoreCorrupt);
  }
  SECTION("emptied") {
    fs::resize_file(file, 0);
    CHECK(refused() == ErrorId::kStoreCorrupt);
  }
  SECTION("something else") {
    REQUIRE(ote::WriteFileAtomic(file, Bytes(9000, 'x')).has_value());
    CHECK(refused() == ErrorId::kStoreCorrupt);
  }
  SECTION("somebody else's") {
    fs::remove(file);
    Sql(file, "CREATE TABLE theirs(x)");
    CHECK(refused() == ErrorId::kStoreCorrupt);
  }
}

TEST_CASE("a row that is not what its kind should be is told with its name") {
  Store store = InMemory();
  REQUIRE(store.PutDoc("thing", "a", AsBytes("rubbish")).has_value());
  const auto got = store.Get<Thing>("a");
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error().id == ErrorId::kStoreCorrupt);
  CHECK(got.error().message.starts_with("reading thing a: CBOR: "));
  CHECK(store.List<Thing>().error().id == ErrorId::kStoreCorrupt);
}

TEST_CASE("a folder that is not there or cannot be written is an error, and leaves nothing") {
  const Scratch scratch;
  CHECK(Store::Open(scratch.path / "none" / "ote.db").error().id == ErrorId::kFileFailed);
  const SmallDisk disk(scratch.path, "size=1m");
  if (!disk.mounted || !disk.MakeReadOnly()) {
    WARN("skipped: a read-only file system cannot be mounted here");
    return;
  }
  CHECK(Store::Open(scratch.path / "ote.db").error().id == ErrorId::kFileFailed);
}

TEST_CASE("a full disk fails the write and harms nothing that was there") {
  const Scratch scratch;
  const SmallDisk disk(scratch.path, "size=512k");
  if (!disk.mounted) {
    WARN("skipped: a tmpfs cannot be mounted here");
    return;
  }
  const fs::path file = scratch.path / "ote.db";
  {
    Store store = Open(file);
    REQUIRE(store.Put(Thing{"a", 1}).has_value());
    const auto full = store.Transaction([&]() -> Result<void> {
      OTE_CHECK(store.Put(Thing{"a", 2}));
      return store.PutDoc("big", "b", Bytes(2 << 20, 7));
    });
    CHECK(full.error().id == ErrorId::kNoSpace);
    CHECK(store.Get<Thing>("a").value() == Thing{"a", 1});
    CHECK(store.Put(Thing{"c", 1}).has_value());
  }
  CHECK(Open(file).List<Thing>().value() == std::vector<Thing>{{"a", 1}, {"c", 1}});
}
