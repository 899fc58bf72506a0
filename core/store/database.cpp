#include "core/store/database.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <array>
#include <cerrno>

#include "core/base/descriptor.h"
#include "core/base/files.h"

namespace ote::store {
namespace fs = std::filesystem;
namespace {

constexpr int kBusyMillis = 5000;

// Step n takes a database from version n to n + 1. A step that was released is never changed; a new one is added.
constexpr std::array<const char*, 1> kMigrations{{
    "CREATE TABLE resource(kind TEXT NOT NULL, id TEXT NOT NULL, doc BLOB NOT NULL, PRIMARY KEY(kind, id)) WITHOUT "
    "ROWID;"
    "CREATE TABLE journal(seq INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, at INTEGER NOT NULL, doc BLOB "
    "NOT NULL);"
    "CREATE INDEX journal_topic ON journal(topic, seq);"
    "CREATE TABLE counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;",
}};

std::int64_t Number(SQLite::Database& db, const char* sql) {
  SQLite::Statement query(db, sql);
  return query.executeStep() ? query.getColumn(0).getInt64() : 0;
}

// In one transaction, so that a crash leaves the old version or the new one.
Result<void> Migrate(SQLite::Database& db) {
  constexpr auto kLatest = static_cast<std::int64_t>(kMigrations.size());
  const bool versioned = Number(db, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema'") > 0;
  if (!versioned && Number(db, "SELECT count(*) FROM sqlite_master") > 0) {
    return Fail(ErrorId::kStoreCorrupt, "it is a database, but not one of ote");
  }
  const std::int64_t version = versioned ? Number(db, "SELECT coalesce(max(version), -1) FROM schema") : 0;
  if (version < 0) return Fail(ErrorId::kStoreCorrupt, "it does not say its version");
  if (version > kLatest) {
    return Fail(ErrorId::kStoreNewer,
                fmt::format("it has version {}, and this ote knows versions up to {}", version, kLatest));
  }
  if (version == kLatest) return {};
  SQLite::Transaction transaction(db, SQLite::TransactionBehavior::IMMEDIATE);
  if (!versioned) db.exec("CREATE TABLE schema(version INTEGER NOT NULL)");
  for (std::int64_t step = version; step < kLatest; ++step) db.exec(kMigrations[static_cast<std::size_t>(step)]);
  db.exec("DELETE FROM schema");
  db.exec(fmt::format("INSERT INTO schema(version) VALUES({})", kLatest));
  transaction.commit();
  return {};
}

void Configure(SQLite::Database& db) {
  db.exec("PRAGMA journal_mode = WAL");
  db.exec("PRAGMA synchronous = FULL");
  db.exec("PRAGMA foreign_keys = ON");
  db.exec("PRAGMA trusted_schema = OFF");
  db.exec("PRAGMA cell_size_check = ON");
  db.exec("PRAGMA cache_size = -512");   // KiB: an idle agent has little memory
  db.exec("PRAGMA secure_delete = ON");  // what is deleted or replaced may have been a secret
  db.exec("PRAGMA journal_size_limit = 4194304");
}

Result<void> CheckWhole(SQLite::Database& db) {
  SQLite::Statement check(db, "PRAGMA quick_check(1)");
  if (check.executeStep()) {
    if (const std::string said = check.getColumn(0).getString(); said != "ok")
      return Fail(ErrorId::kStoreCorrupt, said);
  }
  return {};
}

// A new database gets its name only when it is whole: a file that is there and empty has lost its content.
Result<void> Make(const fs::path& file) {
  const fs::path fresh = file.string() + ".new";
  std::error_code ignored;
  fs::remove(fresh, ignored);
  fs::remove(fresh.string() + "-journal", ignored);
  {
    Descriptor made(::open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!made) return Fail(FileError("making", file, errno));
  }
  {
    SQLite::Database db(fresh.string(), SQLite::OPEN_READWRITE, kBusyMillis);
    db.exec("PRAGMA synchronous = FULL");
    OTE_CHECK(Migrate(db));
  }
  if (::rename(fresh.c_str(), file.c_str()) != 0) return Fail(FileError("making", file, errno));
  const fs::path folder = file.parent_path();
  return SyncFolder(folder.empty() ? fs::path(".") : folder);
}

}  // namespace

Result<SQLite::Database> OpenDatabase(const fs::path& file) {
  std::error_code error;
  const auto status = fs::status(file, error);
  if (status.type() == fs::file_type::not_found) {
    OTE_CHECK(Make(file));
  } else if (error) {
    return Fail(FileError("opening", file, error.value()));
  } else if (fs::file_size(file, error) == 0) {
    return Fail(ErrorId::kStoreCorrupt, fmt::format("opening {}: it is empty", file.string()));
  }
  SQLite::Database db(file.string(), SQLite::OPEN_READWRITE, kBusyMillis);
  const auto told = [&file](Error why) { return Fail(std::move(why).Context("opening " + file.string())); };
  Configure(db);
  if (auto whole = CheckWhole(db); !whole) return told(whole.error());
  if (auto migrated = Migrate(db); !migrated) return told(migrated.error());
  return db;
}

Result<SQLite::Database> OpenMemoryDatabase() {
  SQLite::Database db(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  db.exec("PRAGMA foreign_keys = ON");
  OTE_CHECK(Migrate(db));
  return db;
}

Error DatabaseError(std::string_view doing, const std::exception& thrown) {
  ErrorId id = ErrorId::kStoreFailed;
  if (const auto* failure = dynamic_cast<const SQLite::Exception*>(&thrown)) {
    switch (failure->getErrorCode()) {
      case SQLITE_FULL:
        id = ErrorId::kNoSpace;
        break;
      case SQLITE_CORRUPT:
      case SQLITE_NOTADB:
        id = ErrorId::kStoreCorrupt;
        break;
      default:
        break;
    }
  }
  return {id, fmt::format("{}: {}", doing, thrown.what()), {}};
}

}  // namespace ote::store
