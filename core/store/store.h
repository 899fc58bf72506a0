// Durable state: one SQLite file for each state folder.
//
// A resource is one row: its kind, its key, and the CBOR of its struct. Beside the rows stand journals, append-only
// lists of events by topic, and counters that never give a number twice. Whatever a call reported as done is on disk
// and survives a power cut (write-ahead log, synchronous=FULL); what was in the middle of a transaction is as if it had
// not begun.
//
// Single thread: a Store and all calls on it belong to one thread at a time. Another process may read the file
// meanwhile; a call waits at most five seconds for the other one's lock.
//
// Errors of every call: kStoreFailed, kNoSpace when the disk is full, kStoreCorrupt when the file is damaged or a row
// is not what its kind should be. A failed call has changed nothing.
//
// Measured (SQLite 3.40): opening costs 240 KiB of private memory, and 20,000 journal entries (4 MB) written in one
// transaction 850 KiB in all: the page cache is bounded to 512 KiB.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/clock.h"
#include "core/base/codec.h"
#include "core/base/result.h"

namespace ote::store {

// What stands in the store: a struct with Fields, a kind ("cluster"), and a key that is unique within the kind.
template <class T>
concept Stored = requires(const T& value) {
  { T::kKind } -> std::convertible_to<std::string_view>;
  { value.Key() } -> std::convertible_to<std::string>;
};

struct JournalEntry {
  std::int64_t seq = 0;  // ascending within the store, never given twice
  UnixMillis at = 0;
  Json doc;
};

class Store {
 public:
  // Opens the file, or makes it with mode 0600; its folder must be there. Brings an older schema up to date.
  // kStoreNewer when a newer ote wrote it, kStoreCorrupt when it is no database or a damaged one.
  static Result<Store> Open(const std::filesystem::path& file);
  // Gone with the object. For tests.
  static Result<Store> OpenInMemory();

  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  // Writes the row, over an older one with the same key.
  template <Stored T>
  Result<void> Put(const T& value) {
    return PutDoc(T::kKind, value.Key(), ToCbor(value));
  }
  template <Stored T>
  Result<std::optional<T>> Get(std::string_view key);
  // All of the kind, in the order of their keys.
  template <Stored T>
  Result<std::vector<T>> List();
  // Whether there was one.
  template <Stored T>
  Result<bool> Remove(std::string_view key) {
    return RemoveDoc(T::kKind, key);
  }

  // The same without a type.
  Result<void> PutDoc(std::string_view kind, std::string_view key, ByteView doc);
  Result<std::optional<Bytes>> GetDoc(std::string_view kind, std::string_view key);
  Result<std::vector<std::pair<std::string, Bytes>>> ListDocs(std::string_view kind);
  Result<bool> RemoveDoc(std::string_view kind, std::string_view key);

  // Runs `work` and commits what it wrote when it succeeds; otherwise, also when it throws, everything is rolled back
  // and its error returned. Within another transaction it is a part of that one: it has no commit of its own, and when
  // it fails the outer one is rolled back whatever the caller makes of the error.
  Result<void> Transaction(const std::function<Result<void>()>& work);

  // Appends to a journal and gives the entry's number.
  Result<std::int64_t> Append(std::string_view topic, UnixMillis at, const Json& doc);
  // The entries after number `after_seq` (0 for all), the oldest first, at most `limit`.
  Result<std::vector<JournalEntry>> ReadJournal(std::string_view topic, std::int64_t after_seq, std::int64_t limit);
  // How many entries a topic has.
  Result<std::int64_t> JournalSize(std::string_view topic);
  // Forgets all but the newest `keep_last` entries; 0 forgets the topic. The numbers are not given again.
  Result<void> TrimJournal(std::string_view topic, std::int64_t keep_last);

  // 1, 2, 3 … for each name; a number that was given is never given again, not even after a crash. One that was taken
  // in a transaction that is rolled back was not given.
  Result<std::int64_t> NextNumber(std::string_view name);

 private:
  struct State;
  explicit Store(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

// `error` of a row that cannot be read, as a damage of the store.
Error DamagedRow(std::string_view kind, std::string_view key, const Error& error);

template <Stored T>
Result<std::optional<T>> Store::Get(std::string_view key) {
  OTE_TRY(const auto doc, GetDoc(T::kKind, key));
  if (!doc) return std::optional<T>();
  auto value = FromCbor<T>(*doc);
  if (!value) return Fail(DamagedRow(T::kKind, key, value.error()));
  return std::optional<T>(std::move(*value));
}

template <Stored T>
Result<std::vector<T>> Store::List() {
  OTE_TRY(const auto rows, ListDocs(T::kKind));
  std::vector<T> values;
  values.reserve(rows.size());
  for (const auto& [key, doc] : rows) {
    auto value = FromCbor<T>(doc);
    if (!value) return Fail(DamagedRow(T::kKind, key, value.error()));
    values.push_back(std::move(*value));
  }
  return values;
}

}  // namespace ote::store
