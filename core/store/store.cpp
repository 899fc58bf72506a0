#include "core/store/store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <map>

#include "core/store/database.h"

namespace ote::store {

struct Store::State {
  explicit State(SQLite::Database&& opened) : db(std::move(opened)) {}

  SQLite::Database db;
  std::map<const char*, SQLite::Statement> statements;  // by the address of their text, which is a literal
  int depth = 0;                                        // of transactions
  std::optional<Error> failed;                          // why the transaction in progress cannot be committed

  // A statement ready to bind, prepared once.
  SQLite::Statement& Prepared(const char* sql) {
    auto it = statements.find(sql);
    if (it == statements.end()) it = statements.emplace(sql, SQLite::Statement(db, sql)).first;
    return it->second;
  }

  // Runs `use` on a statement and ends it whatever happens: one that is left open would keep a read lock. Within a
  // transaction a failure is final, because SQLite may have rolled back by itself, and what follows would be committed
  // alone.
  template <class Use>
  auto Run(std::string_view doing, const char* sql, Use use) -> Result<std::invoke_result_t<Use, SQLite::Statement&>> {
    if (failed) return Fail(*failed);
    SQLite::Statement* statement = nullptr;
    const auto end = [&statement] {
      if (statement == nullptr) return;
      statement->tryReset();
      statement->clearBindings();
    };
    try {
      statement = &Prepared(sql);
      if constexpr (std::is_void_v<std::invoke_result_t<Use, SQLite::Statement&>>) {
        use(*statement);
        end();
        return {};
      } else {
        auto value = use(*statement);
        end();
        return value;
      }
    } catch (const std::exception& thrown) {
      Error error = DatabaseError(doing, thrown);
      try {
        end();
      } catch (const std::exception&) {
        statements.erase(sql);
      }
      if (depth > 0) failed = error;
      return Fail(std::move(error));
    }
  }

  Result<void> Execute(std::string_view doing, const char* sql) {
    try {
      db.exec(sql);
      return {};
    } catch (const std::exception& thrown) {
      return Fail(DatabaseError(doing, thrown));
    }
  }
};

namespace {

void BindText(SQLite::Statement& statement, int index, std::string_view text) {
  statement.bind(index, std::string(text));
}

void BindBlob(SQLite::Statement& statement, int index, ByteView bytes) {
  // A null pointer would bind NULL.
  statement.bindNoCopy(index, bytes.empty() ? static_cast<const void*>("") : bytes.data(),
                       static_cast<int>(bytes.size()));
}

Bytes BlobOf(const SQLite::Column& column) {
  const auto* data = static_cast<const std::uint8_t*>(column.getBlob());
  const auto size = static_cast<std::size_t>(column.getBytes());
  return data == nullptr ? Bytes() : Bytes(data, data + size);
}

Result<void> CheckSize(std::string_view kind, std::string_view key, std::size_t size) {
  constexpr std::size_t kMaxDoc = 256U << 20;
  if (size <= kMaxDoc) return {};
  return Fail(ErrorId::kStoreFailed,
              fmt::format("writing {} {}: it has {} bytes, more than a row holds", kind, key, size));
}

}  // namespace

Store::Store(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::Open(const std::filesystem::path& file) {
  try {
    OTE_TRY(auto db, OpenDatabase(file));
    return Store(std::make_unique<State>(std::move(db)));
  } catch (const std::exception& thrown) {
    return Fail(DatabaseError("opening " + file.string(), thrown));
  }
}

Result<Store> Store::OpenInMemory() {
  try {
    OTE_TRY(auto db, OpenMemoryDatabase());
    return Store(std::make_unique<State>(std::move(db)));
  } catch (const std::exception& thrown) {
    return Fail(DatabaseError("opening a store in memory", thrown));
  }
}

Result<void> Store::PutDoc(std::string_view kind, std::string_view key, ByteView doc) {
  OTE_CHECK(CheckSize(kind, key, doc.size()));
  return state_->Run("writing a resource",
                     "INSERT INTO resource(kind, id, doc) VALUES(?, ?, ?) "
                     "ON CONFLICT(kind, id) DO UPDATE SET doc = excluded.doc",
                     [&](SQLite::Statement& put) {
                       BindText(put, 1, kind);
                       BindText(put, 2, key);
                       BindBlob(put, 3, doc);
                       put.exec();
                     });
}

Result<std::optional<Bytes>> Store::GetDoc(std::string_view kind, std::string_view key) {
  return state_->Run("reading a resource", "SELECT doc FROM resource WHERE kind = ? AND id = ?",
                     [&](SQLite::Statement& get) -> std::optional<Bytes> {
                       BindText(get, 1, kind);
                       BindText(get, 2, key);
                       if (!get.executeStep()) return std::nullopt;
                       return BlobOf(get.getColumn(0));
                     });
}

Result<std::vector<std::pair<std::string, Bytes>>> Store::ListDocs(std::string_view kind) {
  return state_->Run("listing resources", "SELECT id, doc FROM resource WHERE kind = ? ORDER BY id",
                     [&](SQLite::Statement& list) {
                       BindText(list, 1, kind);
                       std::vector<std::pair<std::string, Bytes>> rows;
                       while (list.executeStep()) {
                         rows.emplace_back(list.getColumn(0).getString(), BlobOf(list.getColumn(1)));
                       }
                       return rows;
                     });
}

Result<bool> Store::RemoveDoc(std::string_view kind, std::string_view key) {
  return state_->Run("removing a resource", "DELETE FROM resource WHERE kind = ? AND id = ?",
                     [&](SQLite::Statement& remove) {
                       BindText(remove, 1, kind);
                       BindText(remove, 2, key);
                       return remove.exec() > 0;
                     });
}

Result<void> Store::Transaction(const std::function<Result<void>()>& work) {
  State& state = *state_;
  const bool outer = state.depth == 0;
  if (outer) {
    state.failed.reset();
    OTE_CHECK(state.Execute("beginning a transaction", "BEGIN IMMEDIATE"));
  }
  ++state.depth;
  Result<void> result{};
  try {
    result = work();
  } catch (const std::exception& thrown) {
    result = Fail(ErrorId::kInternal, fmt::format("a transaction: {}", thrown.what()));
  }
  --state.depth;
  if (!result && !state.failed) state.failed = result.error();
  if (!outer) return result;
  const std::optional<Error> failed = std::exchange(state.failed, std::nullopt);
  if (!failed) {
    auto committed = state.Execute("committing a transaction", "COMMIT");
    if (committed) return {};
    result = std::move(committed);
  } else if (result) {
    result = Fail(*failed);
  }
  // SQLite may have rolled back by itself; then this one fails, and that is as well.
  (void)state.Execute("rolling back", "ROLLBACK");
  return result;
}

Result<std::int64_t> Store::Append(std::string_view topic, UnixMillis at, const Json& doc) {
  const Bytes bytes = DumpCbor(doc);
  OTE_CHECK(CheckSize("journal", topic, bytes.size()));
  return state_->Run("appending to a journal", "INSERT INTO journal(topic, at, doc) VALUES(?, ?, ?) RETURNING seq",
                     [&](SQLite::Statement& append) {
                       BindText(append, 1, topic);
                       append.bind(2, at);
                       BindBlob(append, 3, bytes);
                       append.executeStep();
                       const std::int64_t seq = append.getColumn(0).getInt64();
                       append.executeStep();
                       return seq;
                     });
}

Result<std::vector<JournalEntry>> Store::ReadJournal(std::string_view topic, std::int64_t after_seq,
                                                     std::int64_t limit) {
  OTE_TRY(const auto rows,
          state_->Run("reading a journal",
                      "SELECT seq, at, doc FROM journal WHERE topic = ? AND seq > ? ORDER BY seq LIMIT ?",
                      [&](SQLite::Statement& read) {
                        BindText(read, 1, topic);
                        read.bind(2, after_seq);
                        read.bind(3, std::max<std::int64_t>(limit, 0));
                        std::vector<std::pair<JournalEntry, Bytes>> found;
                        while (read.executeStep()) {
                          JournalEntry entry{read.getColumn(0).getInt64(), read.getColumn(1).getInt64(), {}};
                          found.emplace_back(std::move(entry), BlobOf(read.getColumn(2)));
                        }
                        return found;
                      }));
  std::vector<JournalEntry> entries;
  entries.reserve(rows.size());
  for (const auto& [entry, bytes] : rows) {
    auto doc = ParseCbor(bytes);
    if (!doc) return Fail(DamagedRow("journal", fmt::format("{} {}", topic, entry.seq), doc.error()));
    entries.push_back({entry.seq, entry.at, std::move(*doc)});
  }
  return entries;
}

Result<std::int64_t> Store::JournalSize(std::string_view topic) {
  return state_->Run("counting a journal", "SELECT COUNT(*) FROM journal WHERE topic = ?",
                     [&](SQLite::Statement& count) {
                       BindText(count, 1, topic);
                       count.executeStep();
                       return count.getColumn(0).getInt64();
                     });
}

Result<void> Store::TrimJournal(std::string_view topic, std::int64_t keep_last) {
  return state_->Run("trimming a journal",
                     "DELETE FROM journal WHERE topic = ?1 AND seq <= "
                     "(SELECT seq FROM journal WHERE topic = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
                     [&](SQLite::Statement& trim) {
                       BindText(trim, 1, topic);
                       trim.bind(2, std::max<std::int64_t>(keep_last, 0));
                       trim.exec();
                     });
}

Result<std::int64_t> Store::NextNumber(std::string_view name) {
  return state_->Run("taking a number",
                     "INSERT INTO counter(name, value) VALUES(?, 1) "
                     "ON CONFLICT(name) DO UPDATE SET value = value + 1 RETURNING value",
                     [&](SQLite::Statement& next) {
                       BindText(next, 1, name);
                       next.executeStep();
                       const std::int64_t number = next.getColumn(0).getInt64();
                       next.executeStep();
                       return number;
                     });
}

Error DamagedRow(std::string_view kind, std::string_view key, const Error& error) {
  return {ErrorId::kStoreCorrupt, fmt::format("reading {} {}: {}", kind, key, error.message), {}};
}

}  // namespace ote::store
